"""Training: find, judge and publish what a history says. Never loaded by a web process."""
