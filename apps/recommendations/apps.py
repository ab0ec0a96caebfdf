"""The recommendations room."""

from importlib import import_module

from django.apps import AppConfig


class RecommendationsConfig(AppConfig):
    """What moves success, what to use next, what to expect."""

    name = "apps.recommendations"
    label = "recommendations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tell the registry's search what the estimates say."""
        effects = import_module("apps.recommendations.answers.effects").effects
        import_module("apps.registry.finding.impacts").offer(effects)
