"""The recommendations room: what is said to a project that asks what to try next. Light: web processes use it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from apps.recommendations.estimators.verdicts import GAIN_LEVEL
from apps.recommendations.models import Advice, ImpactModel


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to try, with what is known of it.

    pooled   the number rests on all problem classes together, not on this project's alone
    Units    gain, low, high: as the answer's `unit` says
    """

    rank: int
    artifact_id: UUID
    artifact_name: str
    artifact_kind: str
    status: str
    gain: float | None
    low: float | None
    high: float | None
    standing: float | None
    n_used: int | None
    n_unused: int | None
    n_projects: int
    pooled: bool
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AdviceAnswer:
    """Advice for one project, or why there is none; and what a worker stored of its team's size."""

    status: str
    code: str = ""
    reason: str = ""
    needs: Sequence[dict[str, Any]] = ()
    basis: str = ""
    unit: str = ""
    model: ImpactModel | None = None
    items: Sequence[Item] = field(default_factory=tuple)
    team: Advice | None = None

    @property
    def level(self) -> float | None:
        """What share of truths the intervals mean to hold."""
        return GAIN_LEVEL if self.items else None
