"""Admin: the sites and their parts."""
