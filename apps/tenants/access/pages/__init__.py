"""The access room's pages: signing in and out by an identity provider."""
