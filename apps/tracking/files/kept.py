"""The tracking room: what is kept, as pages and programs read it: by project, by kind, by age, beside what may be kept."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Q

from apps.tenants.routing import this_tenant
from apps.tracking.files import use
from apps.tracking.files.use import AGES, SHARED, STALE, SWEEPABLE, UNNAMED, Heap
from apps.tracking.models import Project, StorageUse

WARNED_SHARE: Final = 0.8
MOST_PROJECTS: Final = 100


@dataclass(frozen=True)
class Standing:
    """What the tenant, or a project, keeps, and what it may keep."""

    project: Project | None
    heap: Heap
    quota_bytes: int | None

    @property
    def share(self) -> float | None:
        """The used part of what is allowed; None without a quota."""
        if self.quota_bytes is None:
            return None
        return self.heap.bytes / self.quota_bytes if self.quota_bytes else 1.0

    @property
    def is_warned(self) -> bool:
        """Say whether it is nearly or wholly used."""
        return self.share is not None and self.share >= WARNED_SHARE


@dataclass(frozen=True)
class Kept:
    """All that is kept, as it was last counted. Of the projects the largest, and what the others keep together."""

    whole: Standing
    projects: list[Standing]
    others: Heap
    kinds: dict[str, Heap]
    ages: dict[str, Heap]
    shared: Heap
    unnamed: Heap
    sweepable: Heap
    measured_at: datetime | None


def standing_of(row: StorageUse) -> Standing:
    """Read a row of what is used."""
    quota = row.project.quota_bytes if row.project else this_tenant().quota_bytes
    return Standing(row.project, Heap(row.bytes, row.files), quota)


def warned() -> list[Standing]:
    """The tenant and those projects that keep nearly all that they may, in one query."""
    rows = StorageUse.objects.filter(Q(project=None) | Q(project__quota_bytes__isnull=False))
    found = [standing_of(row) for row in rows.select_related("project").order_by("project__name")]
    return [one for one in found if one.is_warned]


def heap_of(told: Any) -> Heap:
    """Read a heap as a row's detail holds it."""
    return Heap(**told) if told else Heap()


def kept(now: datetime, *, is_fresh: bool = False) -> Kept:
    """Tell what is kept: as the last measure left it; counted now if it never was, or if asked and that is a minute ago."""
    whole = StorageUse.objects.filter(project=None).first()
    if whole is None or (is_fresh and whole.measured_at < now - STALE):
        use.measure(now)
    rows = list(StorageUse.objects.select_related("project").order_by("-bytes", "project__name"))
    whole = next((row for row in rows if row.project is None), None)
    projects = [standing_of(row) for row in rows if row.project is not None]
    detail = whole.detail if whole else {}
    others = Heap()
    for one in projects[MOST_PROJECTS:]:
        others += one.heap
    return Kept(
        whole=standing_of(whole) if whole else Standing(None, Heap(), this_tenant().quota_bytes),
        projects=projects[:MOST_PROJECTS],
        others=others,
        kinds=heaps(detail.get("kinds", {}), sorted(detail.get("kinds", {}))),
        ages=heaps(detail.get("ages", {}), AGES),
        shared=heap_of(detail.get(SHARED)),
        unnamed=heap_of(detail.get(UNNAMED)),
        sweepable=heap_of(detail.get(SWEEPABLE)),
        measured_at=whole.measured_at if whole else None,
    )


def heaps(told: dict[str, Any], names: Iterable[str]) -> dict[str, Heap]:
    """Read some heaps by their names, in an order that JSON does not keep."""
    return {name: heap_of(told.get(name)) for name in names}
