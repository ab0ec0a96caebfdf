"""The bench's extra room."""

from django.apps import AppConfig


class ExtraConfig(AppConfig):
    """A table that the product does not have."""

    name = "bench.growth.extra"
    label = "benchextra"
    default_auto_field = "django.db.models.BigAutoField"
