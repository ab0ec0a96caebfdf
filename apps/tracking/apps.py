"""The tracking room."""

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """Projects, experiments, runs and what they log."""

    name = "apps.tracking"
    label = "tracking"
    default_auto_field = "django.db.models.BigAutoField"
