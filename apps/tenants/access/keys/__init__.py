"""Keys: service accounts, CI jobs and tokens, from issue to revocation."""
