"""Runs: how they begin, change, end, move and go."""
