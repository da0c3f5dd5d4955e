"""The user's files and settings: which are meant, what they hold, what is silenced."""
