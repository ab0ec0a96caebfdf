"""The registry room."""

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Reusable artifacts, versions, lineage and usages."""

    name = "apps.registry"
    label = "registry"
    default_auto_field = "django.db.models.BigAutoField"
