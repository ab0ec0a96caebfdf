"""The tracking room: what a team's own runs say about its work: success, throughput, waste, and whether they can be repeated."""

from collections.abc import Sequence
from datetime import datetime

from django.db.models import (
    BigIntegerField,
    Case,
    Count,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    FloatField,
    Func,
    OuterRef,
    Q,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Cast, Greatest, TruncWeek

from apps.tracking.calendars import zone_of
from apps.tracking.models import Run, RunInput, Tag
from apps.tracking.models.measures import Measure, share, spread
from apps.tracking.models.runs import RunQuerySet
from maestro.clock import to_ms
from maestro.principals import Reach

COMMIT = "mlflow.source.git.commit"
DIRTY = ("mlflow.source.git.dirty", "mlflow.git.dirty")
ENDED = (Run.Status.FINISHED, Run.Status.FAILED, Run.Status.LOST)
BAD = (Run.Status.FAILED, Run.Status.LOST)
BEGAN = Func(F("start_ms") / Value(1000.0), function="TO_TIMESTAMP", output_field=DateTimeField())


def ended(projects: Reach, since: datetime, until: datetime) -> RunQuerySet:
    """Runs that began in a time and have finished, failed or been lost."""
    found: RunQuerySet = Run.objects.active().filter(
        start_ms__gte=to_ms(since), start_ms__lt=to_ms(until), status__in=ENDED
    )
    return found if projects is None else found.filter(experiment__project_id__in=projects)


def with_hours(runs: RunQuerySet) -> RunQuerySet:
    """Add how long each took; a lost one until its last word."""
    end = Case(When(end_ms=None, then=F("last_write_ms")), default=F("end_ms"))
    whole = BigIntegerField()
    lasted = Greatest(ExpressionWrapper(end - F("start_ms"), whole), Value(0, whole), output_field=whole)
    return runs.annotate(hours=Cast(lasted, FloatField()) / Value(3_600_000.0, FloatField()))


def with_reproducible(runs: RunQuerySet) -> RunQuerySet:
    """Add whether each tells its commit, a dataset that it read, and of no change beside the commit."""
    tags = Tag.objects.filter(run=OuterRef("pk"))
    has_commit = Exists(tags.filter(key=COMMIT).exclude(value=""))
    is_dirty = Exists(tags.filter(key__in=DIRTY, value__iexact="true"))
    has_data = Exists(RunInput.objects.filter(run=OuterRef("pk")))
    return runs.annotate(is_reproducible=Case(When(has_commit & has_data & ~is_dirty, then=True), default=False))


def measures(projects: Reach, since: datetime, until: datetime, zone: str = "UTC") -> dict[str, Measure]:
    """All of them, in two questions."""
    runs = with_reproducible(with_hours(ended(projects, since, until)))
    found = runs.aggregate(
        n=Count("pk"),
        good=Count("pk", filter=Q(status=Run.Status.FINISHED)),
        repeatable=Count("pk", filter=Q(is_reproducible=True)),
        total=Sum("hours"),
        wasted=Sum("hours", filter=Q(status__in=BAD)),
    )
    hours, n = found["total"] or 0.0, found["n"]
    return {
        "run_success": share(found["good"], n),
        "run_waste": Measure(n, (found["wasted"] or 0.0) / hours if hours else None),
        "run_reproducible": share(found["repeatable"], n),
        "run_throughput": spread([count for _, count in weekly(projects, since, until, zone)]),
    }


def weekly(projects: Reach, since: datetime, until: datetime, zone: str = "UTC") -> Sequence[tuple[datetime, int]]:
    """Finished runs by the week, which begins on Monday, in which they began; weeks without any are left out."""
    finished = ended(projects, since, until).filter(status=Run.Status.FINISHED).order_by()
    week = TruncWeek(BEGAN, tzinfo=zone_of(zone))
    weeks = finished.annotate(week=week).values_list("week").annotate(n=Count("pk"))
    return list(weeks.order_by("week"))
