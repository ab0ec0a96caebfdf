"""The tracking room: how teams deliver: connections to forges, what these tell, and what is measured of it."""
