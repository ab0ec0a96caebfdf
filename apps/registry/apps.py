"""The registry room."""

from importlib import import_module

from django.apps import AppConfig


class RegistryConfig(AppConfig):
    """Reusable artifacts, versions, lineage and usages."""

    name = "apps.registry"
    label = "registry"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer the folders of logged models to the artifact proxy, follow moved runs, tell what names bytes and serves."""
        logging_models = import_module("apps.registry.logged_models")
        roots = import_module("apps.tracking.files.folders")
        roots.offer("models", logging_models.model_root)
        moving = import_module("apps.tracking.runs.moves")
        following = import_module("apps.registry.moved_runs")
        moving.offer(following.follow)
        import_module("apps.tracking.writers").offer(logging_models.within_reach)
        uses = import_module("apps.tracking.files.use")
        for name, statement in import_module("apps.registry.contents").NAMES.items():
            uses.offer(name, statement)
        import_module("apps.tracking.retention.pruning").spare(following.relied_on)
        served = import_module("apps.registry.served")
        import_module("apps.tracking.delivery.serving").offer(served.moved, served.first_registered)
