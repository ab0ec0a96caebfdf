"""The registry room: gates: what a version must be before a protected alias or stage points at it, and who says so."""
