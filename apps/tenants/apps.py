"""The tenants room."""

from django.apps import AppConfig


class TenantsConfig(AppConfig):
    """Tenants, their hosts and their schemas, in the public schema."""

    name = "apps.tenants"
    label = "tenants"
    default_auto_field = "django.db.models.BigAutoField"
