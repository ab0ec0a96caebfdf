"""Feast's content: feature views as artifacts, versions by what they say, and the services that read them."""
