"""Search: a filter and an order become pages of runs; saved views keep them."""
