"""The files read: parsed, and what their names and imports mean."""
