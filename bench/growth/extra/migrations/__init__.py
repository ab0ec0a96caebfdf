"""What each release of the bench's room brings."""
