"""The tracking room's admin: one file per page; importing it fills the tenant's site."""

from apps.tracking.admin import experiments, home, projects, retention, run, site, tables, traces

__all__ = ["experiments", "home", "projects", "retention", "run", "site", "tables", "traces"]
