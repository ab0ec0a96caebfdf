"""The tracking room."""

from importlib import import_module

from django.apps import AppConfig


class TrackingConfig(AppConfig):
    """Projects, experiments, runs and what they log."""

    name = "apps.tracking"
    label = "tracking"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Offer the folders of traces to the artifact proxy; forget what forges sent of somebody who is erased."""
        roots, traces = import_module("apps.tracking.files.folders"), import_module("apps.tracking.traces.recording")
        roots.offer("traces", traces.trace_root)
        erasing, intake = import_module("apps.tenants.access.erasing"), import_module("apps.tracking.delivery.intake")
        erasing.offer(intake.forget_person)
