"""The recommendations room's door: `manage.py train_impact`."""

import time
import uuid
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django_tenants.utils import tenant_context

from apps.recommendations import tasks
from apps.recommendations.models import Training
from apps.recommendations.past import dataset
from apps.recommendations.work import leases, processes
from apps.tenants import provisioning
from apps.tenants.models import Tenant
from maestro.commands import MaestroCommand
from maestro.principals import Actor

POLL_SECONDS = 0.5
TIMED_OUT = 8


class Command(MaestroCommand):
    """Have a tenant's models trained."""

    help = (
        "Have a worker learn from a tenant's history: impact, advice, forecasts. Asking while a training is open "
        "joins that one. With equal data nothing is done unless --force is given."
    )
    example = "manage.py train_impact --tenant acme --wait"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--wait", action="store_true", help="wait for the result and show progress")
        parser.add_argument("--here", action="store_true", help="train beside this command, without a worker")
        parser.add_argument("--timeout", type=float, default=1800.0, help="seconds to wait; then exit code 8")
        parser.add_argument("--force", action="store_true", help="train even if the data have not changed")
        parser.add_argument("--memory-mb", type=int, default=0, help="with --here: bound of the training's memory")
        parser.add_argument("--dry-run", action="store_true", help="only say what would be read")

    def answer(self, *, tenant: str, wait: bool, here: bool, dry_run: bool, **options: Any) -> dict[str, Any]:
        """Ask, and wait if told to."""
        found = provisioning.fetch(tenant)
        with tenant_context(found):
            if dry_run:
                return {"tenant": tenant, "dry_run": True, **dataset.read_history().counts}
            training, created = leases.ask_as(Actor("operator"), force=options["force"])
            if here:
                processes.supervise(found, training.pk, megabytes=options["memory_mb"] or None)
            else:
                tasks.send(training)
            ended = self.follow(found, training.pk, options["timeout"]) if wait or here else training
            return report(ended, created=created)

    def follow(self, tenant: Tenant, training_id: uuid.UUID, seconds: float) -> Training:
        """Wait for the end; say each step once."""
        deadline, said = time.monotonic() + seconds, ("", -1)
        # A line for each step and each tenth, so that a log stays short.
        while True:
            training = Training.objects.fetch(str(training_id))
            if not training.is_open:
                break
            if (training.step, training.percent // 10) != said:
                said = (training.step, training.percent // 10)
                self.say(f"{training.percent:3d} %  {training.step or 'waiting for a worker'}")
            if time.monotonic() > deadline:
                raise CommandError(f"training {training_id} has not ended in {seconds:.0f} s", returncode=TIMED_OUT)
            time.sleep(POLL_SECONDS)
        if training.state == Training.State.FAILED:
            raise CommandError(f"training {training_id} failed: {training.reason}", returncode=1)
        return training


def report(training: Training, *, created: bool) -> dict[str, Any]:
    """What to print."""
    models = {
        f"{model.target} {model.unit}".strip(): f"{model.state}{': ' + model.reason if model.reason else ''}"
        for model in training.models.all()
    }
    return {
        "training": str(training.pk),
        "state": training.state,
        "joined": not created,
        "reason": training.reason,
        "data_digest": training.data_digest,
        "data_ms": training.data_ms,
        "fit_ms": training.fit_ms,
        "peak_mb": round(training.peak_bytes / 2**20) if training.peak_bytes else None,
        **training.counts,
        **models,
    }
