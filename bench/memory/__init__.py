"""The bench: what the web workers hold while people and clients use all kinds of pages and calls."""
