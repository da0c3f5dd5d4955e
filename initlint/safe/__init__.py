"""Reading files and printing text of others, which may mean ill."""
