"""Abstract values: what is known of a value, its parts, its copies, what two of them join to."""
