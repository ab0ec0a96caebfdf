"""How long one tenant waits while another floods."""
