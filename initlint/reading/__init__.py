"""The engine that reads: classes, constructors, forward's dataflow, initialisation; no torch."""

from initlint.reading.engine import Read, read

__all__ = ["Read", "read"]
