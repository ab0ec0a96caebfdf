"""The roof as an app: only so that `manage.py check --deploy` finds our checks."""

from importlib import import_module

from django.apps import AppConfig


class RoofConfig(AppConfig):
    """Loads config.checks once every app is loaded, whose models it needs."""

    name = "config"
    label = "roof"

    def ready(self) -> None:
        """Register the checks."""
        import_module("config.checks")
