"""`python -m bench.learning` is `python -m bench.learning.run`."""

from bench.learning.run import main

if __name__ == "__main__":
    main()
