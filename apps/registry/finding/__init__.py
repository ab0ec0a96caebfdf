"""The registry room: what people look for by words: artifacts, versions, and with the room below runs and projects."""
