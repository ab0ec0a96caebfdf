"""People: who they are, what they may see, where they are signed in."""
