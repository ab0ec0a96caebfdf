"""The tracking room: how a measure is told: never without how many things stand behind it, never as a mean of durations."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Aggregate, Count, DurationField, ExpressionWrapper, F, FloatField, Func, Q, QuerySet
from django.db.models.functions import Coalesce

FEWEST = 5


@dataclass(frozen=True)
class Measure:
    """A figure of some time: of so many things, as a share or as a median with its p90; `open_n` are not yet known.

    Units  durations in seconds; shares from 0 to 1
    """

    n: int
    value: float | None = None
    median: float | None = None
    p90: float | None = None
    low: float | None = None
    high: float | None = None
    open_n: int = 0

    @property
    def is_too_few(self) -> bool:
        """Whether so few things stand behind it that it says nothing."""
        return self.n < FEWEST

    def told(self) -> "Measure":
        """What may be shown of it: of too few, their number alone."""
        return Measure(self.n, open_n=self.open_n) if self.is_too_few else self


def quantile(ordered: Sequence[float], share: float) -> float:
    """A quantile of ordered numbers, between two of them in proportion, as Postgres' percentile_cont has it."""
    at = share * (len(ordered) - 1)
    below = math.floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def spread(values: Sequence[float], open_n: int = 0) -> Measure:
    """The median and p90 of some numbers."""
    ordered = sorted(values)
    if not ordered:
        return Measure(0, open_n=open_n)
    return Measure(len(ordered), None, quantile(ordered, 0.5), quantile(ordered, 0.9), open_n=open_n)


def share(hits: int, n: int, open_n: int = 0) -> Measure:
    """A share of some things."""
    return Measure(n, hits / n if n else None, open_n=open_n)


class Percentiles(Aggregate):
    """The median and the ninth decile of an expression, of the rows that a filter keeps."""

    function = "PERCENTILE_CONT"
    name = "Percentiles"
    template = "%(function)s(ARRAY[0.5, 0.9]::float8[]) WITHIN GROUP (ORDER BY (%(expressions)s)::float8)"
    output_field = ArrayField(FloatField())


class Seconds(Func):
    """How many seconds a duration has."""

    template = "EXTRACT(EPOCH FROM (%(expressions)s))::float8"
    output_field = FloatField()


def between(begin: str | Coalesce, end: str) -> Seconds:
    """The seconds from one column's time to another's."""
    begun = F(begin) if isinstance(begin, str) else begin
    return Seconds(ExpressionWrapper(F(end) - begun, output_field=DurationField()))


def spread_of(rows: QuerySet[Any], expression: Any) -> Measure:
    """The median and p90 of an expression over some rows; those that do not have it are `open_n`."""
    found = rows.aggregate(rows=Count("pk"), counted=Count(expression), at=Percentiles(expression))
    median, p90 = found["at"] or (None, None)
    return Measure(found["counted"], None, median, p90, open_n=found["rows"] - found["counted"])


def share_of(rows: QuerySet[Any], hits: Q) -> Measure:
    """The share of some rows that a condition holds for."""
    found = rows.aggregate(n=Count("pk"), hits=Count("pk", filter=hits))
    return share(found["hits"], found["n"])
