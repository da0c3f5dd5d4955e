"""Recommendations put into effect: a live model's weights, filled in place where they live."""
