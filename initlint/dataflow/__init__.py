"""From a graph of operations, whoever drew it, to what every weight meets: no torch here."""
