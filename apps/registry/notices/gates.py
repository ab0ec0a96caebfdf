"""The registry room: what is told to others of gates: who passed, who waits, and who was refused though nothing changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial

from apps.registry.models import ArtifactVersion, Target
from apps.registry.notices.artifacts import named
from apps.tracking.notices.events import Happening, Told, cut, tell
from maestro.errors import Conflict

REFUSED = "gate_refused"


def at_gate(event: Happening, version: ArtifactVersion, target: Target, at: datetime, *, reason: str = "") -> None:
    """A version passed a gate, waits before it, or was refused."""
    data = named(version) | {target.what: target.name, "target": str(target)} | ({"reason": reason} if reason else {})
    tell(Told(event, version.artifact.project_id, data), at=at)


@contextmanager
def refusals_told(version: ArtifactVersion, target: Target, at: datetime) -> Iterator[None]:
    """Tell that a gate refused, once the transaction in this block is undone; and again after one that is around it."""
    try:
        yield
    except Conflict as refusal:
        if refusal.code == REFUSED:
            tells = partial(at_gate, Happening.GATE_REFUSED, version, target, at, reason=cut(refusal.detail))
            refusal.afterwards = (tells,)
            tells()
        raise
