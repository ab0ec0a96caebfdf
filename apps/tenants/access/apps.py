"""The access room, a sub-app of tenants: in each tenant's schema."""

from django.apps import AppConfig


class AccessConfig(AppConfig):
    """Who may enter a tenant, as what, and what they did."""

    name = "apps.tenants.access"
    label = "access"
    default_auto_field = "django.db.models.BigAutoField"
