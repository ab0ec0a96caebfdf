"""Imports: what other tools keep, brought in whole, compared with its source, and told where it is not."""
