"""The graph of operations that both engines build, and its analysis."""
