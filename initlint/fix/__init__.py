"""Findings to rewritten files: `rewrite` is pure, `write_atomically` puts the result on disk."""

from initlint.fix.files import unified_diff, write_atomically
from initlint.fix.rewrite import Rewritten, rewrite

__all__ = ["Rewritten", "rewrite", "unified_diff", "write_atomically"]
