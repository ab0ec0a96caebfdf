"""The tracking room: which deployments failed, which mended another, and how long that took. Pure.

A mend is a hotfix, a rollback by its own word, or a return to what was deployed before. It says that the deployment right
before it in the same stream failed, if that is at most a week old. An incident says it of the project's last good deployment
before it, within the same week; it tells itself from when to when something was broken.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from uuid import UUID

from apps.tracking.delivery.shipped import Shipped
from apps.tracking.models import Incident

KNOWN_AFTER = timedelta(days=7)


@dataclass(frozen=True)
class Span:
    """From a failure's start until it was mended; None while it is not. `of`: the deployment that failed."""

    start: datetime
    end: datetime | None
    of: str = ""


@dataclass
class Judged:
    """What deployments to production came to, at a time."""

    good: list[Shipped] = field(default_factory=list)
    failed: list[Shipped] = field(default_factory=list)
    mends: list[Shipped] = field(default_factory=list)
    young: list[Shipped] = field(default_factory=list)  # good so far, and not a week old
    spans: list[Span] = field(default_factory=list)


def judge(rows: Iterable[Shipped], at: datetime, incidents: Sequence[Incident] = ()) -> Judged:
    """Judge deployments, of any streams, and the incidents of their projects."""
    found = Judged()
    ordered = sorted(rows, key=lambda row: (row.stream, row.began, row.key))
    for _, some in groupby(ordered, key=lambda row: row.stream):
        judge_one(list(some), found)
    blame(found, incidents)
    failed = {row.key for row in found.failed}
    found.young = [row for row in found.good if row.key not in failed and at - row.began < KNOWN_AFTER]
    return found


def judge_one(rows: Sequence[Shipped], found: Judged) -> None:
    """Judge the deployments of one stream, in their order."""
    seen: set[str] = set()
    last: Shipped | None = None
    broken: Span | None = None
    for row in rows:
        if row.deployed_at is None:
            if row.failed_at is not None and broken is None:
                broken = Span(row.started_at, None, row.key)
            continue
        is_mend = (
            row.is_hotfix or row.is_rollback or (row.state in seen and last is not None and last.state != row.state)
        )
        if is_mend:
            found.mends.append(row)
        if is_mend and last is not None and row.deployed_at - last.began <= KNOWN_AFTER:
            found.failed.append(last)
            broken = Span(min(broken.start if broken else last.started_at, last.started_at), None, last.key)
        if broken is not None:
            found.spans.append(Span(broken.start, row.deployed_at, broken.of))
            broken = None
        found.good.append(row)
        seen.add(row.state)
        last = row
    if broken is not None:
        found.spans.append(broken)


def blame(found: Judged, incidents: Sequence[Incident]) -> None:
    """Count incidents: each is a failure of its own time, and of the last good deployment of its project, once."""
    by_project: dict[UUID, list[Shipped]] = {}
    for row in sorted(found.good, key=lambda row: row.began):
        by_project.setdefault(row.project, []).append(row)
    failed = {row.key for row in found.failed}
    told: list[Span] = []
    for incident in incidents:
        before = by_project.get(incident.project_id, [])
        place = bisect_right(before, incident.opened_at, key=lambda row: row.began)
        last = before[place - 1] if place else None
        if last is not None and incident.opened_at - last.began > KNOWN_AFTER:
            last = None
        told.append(Span(incident.opened_at, incident.resolved_at, last.key if last else ""))
        if last is not None and last.key not in failed:
            failed.add(last.key)
            found.failed.append(last)
    # What an incident tells of a deployment is more exact than what the next one showed.
    of = {span.of for span in told if span.of}
    found.spans = [span for span in found.spans if span.of not in of] + told
