"""What is known by its dotted name, without being read: a file for each library."""
