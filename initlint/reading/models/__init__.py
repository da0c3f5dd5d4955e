"""Models: who makes and fills them, and what is recorded of each."""
