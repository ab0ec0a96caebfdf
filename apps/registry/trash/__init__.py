"""The registry room: the trash for artifacts and their versions: in, out, and away for ever."""
