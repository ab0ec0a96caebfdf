"""The access room's admin: people, their roles, keys and what was done."""

from apps.tenants.access.admin import factors, people, providers, records

__all__ = ["factors", "people", "providers", "records"]
