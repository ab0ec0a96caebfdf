"""The registry room: looking after what is kept: what goes, and whether the rest is still what it was."""
