"""The bench: does the time of an answer tell a foreign thing from a missing one?"""
