"""The recommendations room's door: `manage.py forecast_latecomers`: forecasts between two trainings."""

from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.recommendations.training.latecomers import foresee
from apps.recommendations.work import processes
from apps.tenants import provisioning
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Forecast the projects that began after the last training."""

    help = (
        "Forecast open projects that are younger than the last training, with the models that serve. Nothing is "
        "trained. A worker starts this when somebody asks for such a project's forecasts; it may be repeated."
    )
    example = "manage.py forecast_latecomers --tenant acme"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--memory-mb", type=int, default=0, help="bound of this process's memory; 0 is none")

    def answer(self, *, tenant: str, memory_mb: int, **options: Any) -> dict[str, Any]:
        """Bound the process, then forecast."""
        if memory_mb:
            processes.bound_process(memory_mb)
        with tenant_context(provisioning.fetch(tenant)):
            return {"tenant": tenant, "forecasts": foresee(at=timezone.now())}
