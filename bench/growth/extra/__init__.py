"""A room that exists only in the bench: one table, and then one more column, for every tenant of a fleet."""
