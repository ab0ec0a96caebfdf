"""Audit: who did what, written down, found and pruned."""
