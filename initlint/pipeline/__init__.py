"""The one place where reading, tracing, recommending, judging and silence meet."""
