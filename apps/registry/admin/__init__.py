"""The registry room's admin: artifacts, versions with their lineage, and cards on the pages of lower rooms."""

from apps.registry.admin import artifacts, cards, site, tables, versions

__all__ = ["artifacts", "cards", "site", "tables", "versions"]
