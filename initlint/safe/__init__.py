"""Opens files and prints text that may be hostile."""
