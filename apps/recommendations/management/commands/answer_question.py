"""The recommendations room's door: `manage.py answer_question`: the process that a worker starts for one question."""

import uuid
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.recommendations.models import Importance, WhatIf
from apps.recommendations.training import importance, what_if
from apps.recommendations.work import processes
from apps.tenants import provisioning
from maestro.commands import MaestroCommand


class Command(MaestroCommand):
    """Answer what a project may expect that does not exist yet, or which params go with a metric."""

    help = "Answer one question asked by POST /api/v1/forecasts/ or …/importance/. A worker starts this."
    example = "manage.py answer_question --tenant acme --question 0197…"

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        super().add_arguments(parser)
        parser.add_argument("--tenant", required=True, help="the tenant's slug")
        parser.add_argument("--question", required=True, type=uuid.UUID, help="the question's id")
        parser.add_argument("--memory-mb", type=int, default=0, help="bound of this process's memory; 0 is none")

    def answer(self, *, tenant: str, question: uuid.UUID, memory_mb: int, **options: Any) -> dict[str, Any]:
        """Bound the process, then answer."""
        if memory_mb:
            processes.bound_process(memory_mb)
        with tenant_context(provisioning.fetch(tenant)):
            weighing = Importance.objects.filter(pk=question).first()
            if weighing is not None:
                importance.answer(weighing, at=timezone.now())
                return {"question": str(weighing.pk), "state": weighing.state, **weighing.answer}
            found = WhatIf.objects.fetch(str(question))
            what_if.answer(found, at=timezone.now())
            return {"question": str(found.pk), "state": found.state, **found.answer}
