"""The recommendations room."""

from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """What moves success, what to use next, what to expect."""

    name = "apps.recommendations"
    label = "recommendations"
    default_auto_field = "django.db.models.BigAutoField"
