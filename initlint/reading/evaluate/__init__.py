"""Evaluates expressions, statements and calls on abstract values."""
