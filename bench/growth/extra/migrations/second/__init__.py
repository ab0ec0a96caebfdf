"""The second release: the table, and one more column."""
