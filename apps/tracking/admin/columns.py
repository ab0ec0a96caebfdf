"""The tracking room's admin: columns that people choose: metrics, params and tags of runs, and their values."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, Value

from apps.tracking.models import LatestMetric, Param, Tag

MAX_CHOICES, MAX_COLUMNS = 200, 30
KINDS = {"m": "metrics", "p": "params", "t": "tags"}


@dataclass(frozen=True, slots=True)
class Column:
    """A chosen column: `m.auc`, `p.lr` or `t.stage`."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """The column as the address writes it."""
        return f"{self.kind}.{self.name}"


def parse_columns(keys: Sequence[str]) -> list[Column]:
    """The columns of an address, once each."""
    pairs = (key.partition(".") for key in dict.fromkeys(keys))
    return [Column(kind, name) for kind, dot, name in pairs if kind in KINDS and dot and name][:MAX_COLUMNS]


def names_seen(ids: Sequence[uuid.UUID]) -> dict[str, list[str]]:
    """The names of metrics, params and tags of these runs, most common first: one query for all three."""
    metrics = LatestMetric.objects.filter(run_id__in=ids).values_list(Value("m"), "key__name")
    params = Param.objects.filter(run_id__in=ids).values_list(Value("p"), "key")
    tags = Tag.objects.filter(run_id__in=ids).exclude(key__startswith="mlflow.").values_list(Value("t"), "key")
    parts = [
        names.annotate(n=Count("run_id")).order_by("-n", order)[:MAX_CHOICES]
        for names, order in ((metrics, "key__name"), (params, "key"), (tags, "key"))
    ]
    found: dict[str, list[str]] = {kind: [] for kind in KINDS}
    for kind, name, _ in parts[0].union(*parts[1:], all=True):
        found[kind].append(name)
    return found


def values_of(ids: Sequence[uuid.UUID], columns: Sequence[Column]) -> dict[tuple[uuid.UUID, str], float | str]:
    """The chosen columns' values by run: a query for each kind that is chosen."""
    wanted = {kind: [column.name for column in columns if column.kind == kind] for kind in KINDS}
    found: dict[tuple[uuid.UUID, str], float | str] = {}
    if wanted["m"]:
        latest = LatestMetric.objects.filter(run_id__in=ids, key__name__in=wanted["m"])
        found |= {(run, f"m.{name}"): value for run, name, value in latest.values_list("run_id", "key__name", "value")}
    for kind, model in (("p", Param), ("t", Tag)):
        if wanted[kind]:
            rows = model.objects.filter(run_id__in=ids, key__in=wanted[kind]).values_list("run_id", "key", "value")
            found |= {(run, f"{kind}.{name}"): value for run, name, value in rows}
    return found


def as_number(text: str) -> float | str:
    """A param as a number where it is one, so that it is shown and drawn as one."""
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text[:200]
