"""The recommendations room on a database."""
