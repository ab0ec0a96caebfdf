"""Headers of files that the original programs wrote, and of files that somebody broke."""
