"""Findings to rewritten files: `rewrite` is pure, `files` puts the result on disk."""
