"""The tracking room: what happens is told to others: by webhooks that sign what they send."""
