"""The tracking room: one change to many runs, in one transaction: all of them or none."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from django.db import transaction

from apps.tracking.runs import moves, trash
from apps.tracking.runs import tags as runs_tags
from apps.tracking.runs.selection import Choice, resolve
from maestro.errors import Invalid
from maestro.principals import Actor

MOST_DELETED = 1_000


class Action(StrEnum):
    """What can be done to many runs."""

    TAG = "tag"
    TRASH = "trash"
    RESTORE = "restore"
    MOVE = "move"
    DELETE = "delete"


@dataclass(frozen=True)
class Order:
    """A change that somebody asks for."""

    action: Action
    choice: Choice
    tags: Mapping[str, str] = field(default_factory=dict)
    dropped: Sequence[str] = ()
    experiment: int | None = None


@dataclass(frozen=True)
class Done:
    """What a change came to: how many runs were chosen, and how many of them it changed."""

    action: Action
    chosen: int
    changed: int
    is_dry: bool


def carry_out(order: Order, by: Actor, *, now: int, is_dry: bool = False) -> Done:
    """Change the chosen runs, all or none; a dry run does the same and takes it back.

    Raises NotFound, Forbidden, Invalid, Conflict: then nothing has changed.
    """
    with transaction.atomic():
        runs = resolve(order.choice, by)
        changed = act(order, runs, by, now)
        if is_dry:
            transaction.set_rollback(True)
    return Done(order.action, len(runs), changed, is_dry)


def act(order: Order, runs: list[uuid.UUID], by: Actor, now: int) -> int:
    """Hand the runs to the verb."""
    if order.action == Action.TAG:
        return runs_tags.tag(runs, by, put=order.tags, dropped=order.dropped)
    if order.action == Action.TRASH:
        return trash.throw_away(runs, by, at_ms=now)
    if order.action == Action.RESTORE:
        return trash.bring_back(runs, by)
    if order.action == Action.MOVE:
        if order.experiment is None:
            raise Invalid("name the experiment to move to", "no_experiment")
        return moves.move(runs, order.experiment, by)
    if len(runs) > MOST_DELETED:
        raise Invalid(f"delete at most {MOST_DELETED} runs at once", "too_many_runs")
    return trash.destroy(runs, by)
