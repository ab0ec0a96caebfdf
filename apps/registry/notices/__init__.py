"""The registry room: what is told to others of what happens here."""
