"""The tracking room: what a repository's history says of its commits: sizes, where they landed, and lines that did not last."""
