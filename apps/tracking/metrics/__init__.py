"""Metrics: written in batches, kept as points, read whole or thinned."""
