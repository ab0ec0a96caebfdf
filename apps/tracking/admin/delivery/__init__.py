"""The tracking room's admin: how teams deliver: measures, and the connections to forges that they come from."""

from apps.tracking.admin.delivery import connections, measured, team, time_zone

__all__ = ["connections", "measured", "team", "time_zone"]
