"""Signing in: by provider, by password, with a second factor; and the way back in."""
