"""Retention: how long runs are kept, which are lost, and what is pruned."""
