"""The tracking room's admin: one file per page; importing it fills the tenant's site."""

from apps.tracking.admin import delivery, experiments, home, projects, retention, run, site, tables, traces

__all__ = ["delivery", "experiments", "home", "projects", "retention", "run", "site", "tables", "traces"]
