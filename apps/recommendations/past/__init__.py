"""The past: a tenant's rows become a history, and a history arrays."""
