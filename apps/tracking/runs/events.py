"""The tracking room: what the audit log says of changes to many runs."""

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.runs.selection import in_pages
from maestro.principals import Actor

LOGGED_AT_ONCE = 1_000


def note_bulk(
    by: Actor,
    action: Act,
    runs: Sequence[uuid.UUID],
    *,
    after: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> None:
    """Record a change to many runs: one event for each thousand, which names them all."""
    for some in in_pages(runs, LOGGED_AT_ONCE):
        names = [run_id.hex for run_id in some]
        was = dict(before or {})
        if "tags" in was:
            was["tags"] = {name: was["tags"][name] for name in names if name in was["tags"]}
        record(
            by,
            action,
            object_type="Run",
            object_id=names[0] if len(names) == 1 else f"{len(names)} runs",
            before=was or None,
            after={**(after or {}), "runs": names},
        )
