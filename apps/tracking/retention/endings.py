"""The tracking room: how runs ended: the share that succeeded, and the hours that came to nothing.

A lost run is neither a success nor a failure, so it is counted apart and left out of the rate; its hours, until its
last word, are waste, as those of failed and killed runs are.
"""

from dataclasses import dataclass
from typing import Any

from django.db.models import Case, Count, F, FloatField, Q, Sum, Value, When
from django.db.models.functions import Cast, Coalesce, Greatest

from apps.tracking.models import Run

ENDED = (Run.Status.FINISHED, Run.Status.FAILED, Run.Status.KILLED)
WASTED = (Run.Status.FAILED, Run.Status.KILLED, Run.Status.LOST)


@dataclass(frozen=True)
class Tally:
    """Counts of runs by status, and their hours; those in the trash are only counted."""

    by_status: dict[str, int]
    wasted_hours: float
    spent_hours: float
    trashed: int = 0

    @property
    def ended(self) -> int:
        """How many have ended by their own word: what the rate is a share of."""
        return sum(self.by_status.get(status, 0) for status in ENDED)

    @property
    def success_rate(self) -> float | None:
        """The share of ended runs that finished; None while none has ended."""
        return self.by_status.get(Run.Status.FINISHED, 0) / self.ended if self.ended else None

    @property
    def lost(self) -> int:
        """How many went silent."""
        return self.by_status.get(Run.Status.LOST, 0)


def tally(runs: Any) -> Tally:
    """Count runs, in one statement. A run without an end lasted until its last word."""
    end = Case(When(status=Run.Status.LOST, then=F("last_write_ms")), default=Coalesce("end_ms", "last_write_ms"))
    hours = Cast(Greatest(end - F("start_ms"), Value(0)), FloatField()) / 3_600_000.0
    kept = Q(deleted_ms=None)
    figures = {
        "n": Count("pk", filter=kept),
        "hours": Sum(hours, filter=kept, default=0.0),
        "trashed": Count("deleted_ms"),
    }
    rows = list(runs.order_by().values_list("status").annotate(**figures))
    return Tally(
        {status: count for status, count, *_ in rows if count},
        sum(hours for status, _, hours, _ in rows if status in WASTED),
        sum(hours for _, _, hours, _ in rows),
        sum(trashed for *_, trashed in rows),
    )
