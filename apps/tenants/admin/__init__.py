"""The tenants room's admin: the operators' pages. No tenant's data is read here, only sizes and states."""

from apps.tenants.admin import home, tenants

__all__ = ["home", "tenants"]
