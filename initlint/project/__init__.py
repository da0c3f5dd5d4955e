"""The user's files and settings: targets, their text, suppressed findings."""
