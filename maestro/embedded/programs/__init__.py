"""The programs that are run beside us: where they are found and how they start."""
