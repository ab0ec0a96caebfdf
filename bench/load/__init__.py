"""Measure ingest and reads of a started Maestro beside the database's own limit and the original server."""
