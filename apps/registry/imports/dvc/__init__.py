"""DVC's content: outputs by their digests, with bytes where a cache has them, and what was made of what."""
