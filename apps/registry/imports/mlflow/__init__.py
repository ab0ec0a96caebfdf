"""MLflow's content: read from a server, a folder of files or a SQLite file; checked; written; compared."""
