"""Exports: runs as rows of CSV, JSON Lines or Parquet, at once or by order."""
