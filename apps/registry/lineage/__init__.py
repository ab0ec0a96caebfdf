"""The registry room: what came from what, and what came of it: one walker, from every door."""
