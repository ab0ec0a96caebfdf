"""The tracking room's admin: one file per page; importing it fills the tenant's site."""

from apps.tracking.admin import experiments, home, keeping, others, projects, run, site, traces

__all__ = ["experiments", "home", "keeping", "others", "projects", "run", "site", "traces"]
