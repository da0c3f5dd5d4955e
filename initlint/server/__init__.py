"""The language server: what editors ask, answered by reading the file that is open."""
