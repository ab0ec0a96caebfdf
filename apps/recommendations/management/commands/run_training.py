"""The recommendations room's door: `manage.py run_training`: the process that a worker starts for one training."""

import uuid
from typing import Any

from django.core.management.base import CommandParser
from django_tenants.utils import tenant_context

from apps.recommendations.training.run import work
from apps.recommendations.work import leases, processes
from apps.tenants import provisioning
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Do a training whose lease the caller holds, within a bound of memory."""

    help = "Do one training whose lease is held already. A worker starts this; people use train_impact."
    example = "manage.py run_training --tenant acme --training 0197… --owner 5f…"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--training", required=True, type=uuid.UUID, help="the training's id")
        parser.add_argument("--owner", required=True, help="who holds its lease")
        parser.add_argument("--memory-mb", type=int, default=0, help="bound of this process's memory; 0 is none")

    def answer(self, *, tenant: str, training: uuid.UUID, owner: str, memory_mb: int, **options: Any) -> dict[str, Any]:
        """Bound the process, then train."""
        if memory_mb:
            processes.bound_process(memory_mb)
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            if not leases.renew(training, owner):
                raise leases.LeaseLost("the lease of this training is not yours")
            done = work(found, training, owner)
        return {"training": str(done.pk), "state": done.state, "reason": done.reason}
