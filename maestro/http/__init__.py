"""HTTP: what every door needs of a request and an answer."""
