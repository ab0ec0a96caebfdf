"""Answers: what web processes say from published results."""
