"""Floor: why a server cannot start, in one line that a person can act on."""


class CannotStart(Exception):
    """What is wrong and the way out. Shown as is, without a traceback."""


class Stopped(Exception):
    """Somebody asked us to end: Ctrl-C, SIGTERM, a closed terminal, or `down`."""


class TookTooLong(CannotStart):
    """A wait that was given up."""
