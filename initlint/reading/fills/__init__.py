"""What code does to parameters: initialisers, writes, tests in callbacks, lost results."""
