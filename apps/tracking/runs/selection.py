"""The tracking room: which runs somebody means: by their ids, or by a filter with the number that they saw.

A page at a time, so that a hundred thousand runs are never in memory. Without an order of its own a walk goes
experiment by experiment, newest runs first, because that is one index walk each.
"""

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from apps.tracking.models import Run
from apps.tracking.scoping import runs_for
from apps.tracking.search import pages as search_pages
from apps.tracking.search.listing import LISTED_RUNS, SORTED_RUNS, in_state
from maestro.database.statements import execute
from maestro.errors import Conflict, Invalid, NotFound
from maestro.filters import Term, parse, parse_order
from maestro.principals import Actor

PAGE = 500
MOST_IDS = 1_000
MOST_FOUND = 10_000
HOLD = """SELECT r.id, r.deleted_ms, e.id, e.deleted_ms, e.project_id FROM tracking_run r
 JOIN tracking_experiment e ON e.id = r.experiment_id WHERE r.id = ANY(%(runs)s::uuid[])
 AND (%(projects)s::uuid[] IS NULL OR e.project_id = ANY(%(projects)s::uuid[])) ORDER BY r.id FOR UPDATE OF r"""


@dataclass(frozen=True)
class Wanted:
    """Runs as a filter names them, within experiments."""

    experiments: Sequence[int]
    filter: str = ""
    order: Sequence[str] = ()
    view: str = "ACTIVE_ONLY"
    status: str = ""

    terms: tuple[Term, ...] = ()

    def parsed(self) -> search_pages.Search:
        """Read the filter and the order. Raises Invalid."""
        if self.view not in search_pages.VIEWS:
            raise Invalid(f"view must be one of {', '.join(search_pages.VIEWS)}", "bad_view")
        if self.status and self.status not in Run.Status.values:
            raise Invalid(f"status must be one of {', '.join(Run.Status.values)}", "bad_status")
        terms = self.terms or parse_order(list(self.order), SORTED_RUNS)
        return search_pages.Search(parse(in_state(self.filter, self.status), LISTED_RUNS), terms, self.view)


@dataclass(frozen=True)
class Choice:
    """The runs that a change is meant for: ids, or what a filter finds, which must be as many as expected."""

    ids: tuple[uuid.UUID, ...] = ()
    wanted: Wanted | None = None
    expected: int | None = None


def read_id(text: str) -> uuid.UUID:
    """Read a run's id: 32 hex digits, or a UUID. Raises NotFound for what can't be one."""
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise NotFound(f"there is no run {text[:64]!r}") from error


def pages(wanted: Wanted, most: int = PAGE) -> Iterator[list[uuid.UUID]]:
    """Walk through all runs that are wanted, a page of ids a step. Nothing is held in Postgres between steps."""
    asked = wanted.parsed()
    homes = [list(wanted.experiments)] if asked.terms else [[home] for home in wanted.experiments]
    for home in homes:
        place: search_pages.Place | None = None
        while True:
            ids, place = search_pages.runs(asked, home, most=most, token=place)
            if ids:
                yield ids
            if place is None:
                break


@dataclass(frozen=True)
class Held:
    """A run whose row this transaction holds against writers and other changes."""

    id: uuid.UUID
    deleted_ms: int | None
    experiment_id: int
    experiment_deleted_ms: int | None
    project_id: uuid.UUID


def hold(runs: Sequence[uuid.UUID], by: Actor) -> list[Held]:
    """Take the rows of runs, in the order of their ids. Raises NotFound for one that is not there, or not in reach."""
    held = [Held(*row) for row in execute(HOLD, {"runs": list(runs), "projects": by.projects})]
    if len(held) < len(runs):
        raise none_of(sorted(set(runs) - {run.id for run in held}))
    return held


def none_of(missing: Sequence[uuid.UUID]) -> NotFound:
    """Name runs that are not there."""
    more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
    named = ", ".join(run_id.hex for run_id in missing[:3])
    return NotFound(f"there is no run {named}{more}; nothing was changed", facts={"run": missing[0].hex})


def in_pages(ids: Sequence[uuid.UUID], most: int = PAGE) -> Iterator[list[uuid.UUID]]:
    """Cut a list of ids into pages."""
    for start in range(0, len(ids), most):
        yield list(ids[start : start + most])


def resolve(choice: Choice, by: Actor) -> list[uuid.UUID]:
    """List the chosen runs' ids in their order of locking.

    Raises NotFound for an id that is not there or not theirs, Conflict if a filter finds another number of runs.
    """
    if choice.wanted is None:
        return visible(choice.ids, by)
    found: list[uuid.UUID] = []
    for page in pages(choice.wanted, MOST_IDS):
        found += page
        if len(found) > MOST_FOUND:
            raise Invalid(f"the filter finds more than {MOST_FOUND} runs; narrow it", "too_many_runs")
    if len(found) != choice.expected:
        raise Conflict(
            f"the filter finds {len(found)} runs, not {choice.expected}; nothing was changed", "count_changed"
        )
    return sorted(found)


def visible(ids: Sequence[uuid.UUID], by: Actor) -> list[uuid.UUID]:
    """Check that every id is a run that they see. Raises NotFound, Invalid."""
    wanted = sorted(set(ids))
    if not wanted or len(wanted) > MOST_IDS:
        raise Invalid(f"name 1 to {MOST_IDS} runs, or a filter", "bad_choice")
    found = set(runs_for(by.who).filter(pk__in=wanted).order_by().values_list("pk", flat=True))
    missing = [run_id for run_id in wanted if run_id not in found]
    if missing:
        raise none_of(missing)
    return wanted
