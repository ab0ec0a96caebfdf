"""The tracking room: which deployments failed, which mended another, and how long that took. Pure.

A mend is a hotfix, a rollback by its own word, or a return to a commit that was deployed before. It says that the deployment
right before it in the same environment failed, if that is at most a week old.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby

from apps.tracking.models import Deployment

KNOWN_AFTER = timedelta(days=7)


@dataclass
class Judged:
    """What deployments to production came to, at a time."""

    good: list[Deployment] = field(default_factory=list)
    failed: list[Deployment] = field(default_factory=list)
    mends: list[Deployment] = field(default_factory=list)
    young: list[Deployment] = field(default_factory=list)  # good so far, and not a week old
    spans: list[tuple[datetime, datetime | None]] = field(default_factory=list)  # from a failure's start until mended


def judge(rows: Iterable[Deployment], at: datetime) -> Judged:
    """Judge deployments, of any environments."""
    found = Judged()
    ordered = sorted(rows, key=lambda row: (str(row.connection_id), row.environment, began(row), str(row.pk)))
    for _, some in groupby(ordered, key=lambda row: (row.connection_id, row.environment)):
        judge_one(list(some), at, found)
    return found


def began(row: Deployment) -> datetime:
    """Where a deployment stands in the order of its environment."""
    return row.deployed_at or row.started_at


def judge_one(rows: Sequence[Deployment], at: datetime, found: Judged) -> None:
    """Judge the deployments of one environment, in their order."""
    seen: set[str] = set()
    last: Deployment | None = None
    broken_since: datetime | None = None
    for row in rows:
        if row.deployed_at is None:
            if row.failed_at is not None and broken_since is None:
                broken_since = row.started_at
            continue
        is_mend = row.is_hotfix or row.is_rollback or (row.sha in seen and last is not None and last.sha != row.sha)
        if is_mend:
            found.mends.append(row)
        if is_mend and last is not None and row.deployed_at - began(last) <= KNOWN_AFTER:
            found.failed.append(last)
            broken_since = min(broken_since or last.started_at, last.started_at)
        if broken_since is not None:
            found.spans.append((broken_since, row.deployed_at))
            broken_since = None
        found.good.append(row)
        seen.add(row.sha)
        last = row
    if broken_since is not None:
        found.spans.append((broken_since, None))
    failed = {row.pk for row in found.failed}
    young = [row for row in rows if row.deployed_at and row.pk not in failed and at - row.deployed_at < KNOWN_AFTER]
    found.young.extend(young)
