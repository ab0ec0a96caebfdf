"""Floor: the real servers of `make demo` and `make test`, started from Python packages. Linux only."""
