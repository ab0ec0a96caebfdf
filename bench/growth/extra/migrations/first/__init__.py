"""The first release: the table."""
