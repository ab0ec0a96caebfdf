"""The tracking room: what is lost, thrown away and deleted by itself, and when: by the rules of each project.

Each step is a transaction of at most a hundred runs, so a crash at any point leaves whole runs, and doing it again
goes on where it ended.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import PROTECT, Exists, OuterRef, ProtectedError, QuerySet

from apps.tracking import experiments
from apps.tracking.models import Experiment, Run, Trace
from apps.tracking.notices.events import TELL_RUNS
from apps.tracking.retention.rules import IN_FORCE
from apps.tracking.runs import trash
from apps.tracking.traces import recording
from maestro.database.statements import execute
from maestro.principals import Actor

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
AT_ONCE = 100
ACTOR = Actor("task:retention")

LOST = f"""WITH run AS (UPDATE tracking_run r SET status = 'LOST' FROM tracking_experiment e JOIN {IN_FORCE} k USING (project_id)
 WHERE e.id = r.experiment_id AND r.status = 'RUNNING' AND r.deleted_ms IS NULL
 AND r.last_write_ms < %(now)s - coalesce(%(hours)s::float8, k.lost_after_hours) * {HOUR_MS} RETURNING r.*),
 told AS ({TELL_RUNS}) SELECT id FROM run"""
HOME = f"JOIN tracking_experiment e ON e.id = r.experiment_id JOIN {IN_FORCE} k USING (project_id)"

TRASHED = "r.deleted_ms < %(now)s - coalesce(%(days)s::float8, k.trash_days) * " + str(DAY_MS)
OLD = f"""k.keep_runs_days IS NOT NULL AND r.deleted_ms IS NULL AND r.status NOT IN ('RUNNING', 'SCHEDULED')
 AND greatest(r.last_write_ms, r.end_ms) < %(now)s - k.keep_runs_days::bigint * {DAY_MS}
 AND NOT (r.id = ANY(%(spared)s::uuid[]))"""
TAKE = """SELECT r.id FROM tracking_run r {home} WHERE r.id > %(after)s AND {condition}
 ORDER BY r.id LIMIT {most} FOR UPDATE OF r SKIP LOCKED"""
COUNT = """SELECT p.slug, count(*), coalesce(sum(f.files), 0)::bigint, coalesce(sum(f.bytes), 0)::bigint
 FROM tracking_run r {home} JOIN tracking_project p ON p.id = e.project_id CROSS JOIN LATERAL (
  SELECT count(*) AS files, sum(b.size_bytes) AS bytes FROM tracking_runfile n JOIN tracking_blob b ON b.sha256 = n.blob_id
  WHERE n.run_id = r.id) f WHERE {condition} GROUP BY p.slug ORDER BY p.slug"""
AGED = f"e.deleted_ms < %(now)s - coalesce(%(days)s::float8, k.trash_days) * {DAY_MS}"
# Number 0, Default, is everybody's. What has runs waits until they are gone.
EMPTY = f"""SELECT e.id, (SELECT count(*) FROM (SELECT FROM tracking_trace t WHERE t.experiment_id = e.id LIMIT 1) q)
 FROM tracking_experiment e JOIN {IN_FORCE} k USING (project_id)
 WHERE e.id > %(after)s AND {AGED}
 AND NOT EXISTS (SELECT FROM tracking_run r WHERE r.experiment_id = e.id) ORDER BY e.id LIMIT 1 FOR UPDATE OF e SKIP LOCKED"""
# What would be empty once the runs are gone that go now.
EMPTIED = f"""SELECT e.id FROM tracking_experiment e JOIN {IN_FORCE} k USING (project_id) WHERE e.id > 0 AND {AGED}
 AND NOT EXISTS (SELECT FROM tracking_run r WHERE r.experiment_id = e.id AND ({TRASHED}) IS NOT TRUE)"""
FORESEEN = ("would_trash", "would_delete", "files", "file_bytes", "experiments")

Sparer = Callable[[], Iterable[UUID]]
SPARERS: list[Sparer] = []


def spare(sparer: Sparer) -> None:
    """Let a room above name runs that it relies on: age alone never sends them to the trash."""
    SPARERS.append(sparer)


def mark_lost(now: int, *, hours: float | None = None) -> int:
    """Mark runs that say they run but have been silent for too long; returns how many. A write brings one back.

    Too long is what their project says, or `hours` for every one.
    """
    return len(execute(LOST, {"now": now, "hours": hours}))


def expire(now: int) -> int:
    """Put ended runs into the trash that are older than their project keeps them; returns how many."""
    spared = sorted({run_id for sparer in SPARERS for run_id in sparer()})
    statement = TAKE.format(home=HOME, condition=OLD, most=AT_ONCE)
    return in_steps(statement, {"now": now, "spared": spared}, lambda runs: trash.throw_away(runs, ACTOR, at_ms=now))


def prune(now: int, *, days: float | None = None) -> int:
    """Delete what has been in the trash for too long, with all it logged; returns how many runs.

    Too long is what their project says, or `days` for every one.
    """
    statement = TAKE.format(home=HOME, condition=TRASHED, most=AT_ONCE)
    return in_steps(statement, {"now": now, "days": days}, lambda runs: trash.destroy(runs, ACTOR))


def prune_experiments(now: int, *, days: float | None = None) -> int:
    """Delete experiments that have been in the trash for too long, once their runs are gone; returns how many.

    Their traces go first, some in a transaction. One that a room above relies on, by its logged models, stays whole.
    """
    done, after = 0, 0
    while True:
        with transaction.atomic():
            found = execute(EMPTY, {"now": now, "days": days, "after": after})
            if not found:
                return done
            number, has_traces = found[0]
            if not unheld(Experiment.objects.filter(pk=number)).exists():
                after = number
                continue
            if has_traces:
                recording.delete(Trace.objects.filter(experiment=number), most=recording.DELETED_AT_ONCE)
                continue
            after = number
            done += delete_experiment(number)


def delete_experiment(number: int) -> bool:
    """Delete an experiment without runs. Says whether nothing held it."""
    try:
        experiments.destroy(number, ACTOR)
    except ProtectedError:
        return False
    return True


def in_steps(statement: str, params: dict[str, Any], work: Callable[[Sequence[UUID]], object]) -> int:
    """Do something to all runs that a statement takes, some in a transaction."""
    done, after = 0, UUID(int=0)
    while True:
        with transaction.atomic():
            runs = [row[0] for row in execute(statement, params | {"after": after})]
            if not runs:
                return done
            after = runs[-1]
            work(runs)
            done += len(runs)


def outlook(now: int, *, days: float | None = None) -> dict[str, dict[str, int]]:
    """Say what would go now, by project: runs to the trash, runs for ever with the files they name, and experiments."""
    spared = sorted({run_id for sparer in SPARERS for run_id in sparer()})
    found: dict[str, Counter[str]] = {}
    params = {"now": now, "days": days, "spared": spared}
    for slug, runs, _, _ in execute(COUNT.format(home=HOME, condition=OLD), params):
        found.setdefault(slug, Counter())["would_trash"] = runs
    for slug, runs, files, size in execute(COUNT.format(home=HOME, condition=TRASHED), params):
        going = Counter(would_delete=runs, files=files, file_bytes=size)
        found.setdefault(slug, Counter()).update(going)
    for slug in going_experiments(now, days):
        found.setdefault(slug, Counter())["experiments"] += 1
    return {slug: {name: counts[name] for name in FORESEEN} for slug, counts in sorted(found.items())}


def going_experiments(now: int, days: float | None) -> list[str]:
    """Name the project of each experiment that would go, once the runs are gone that go now: nothing else holds it."""
    numbers = [row[0] for row in execute(EMPTIED, {"now": now, "days": days})]
    return list(unheld(Experiment.objects.filter(pk__in=numbers)).values_list("project__slug", flat=True))


def unheld(experiments: QuerySet[Experiment]) -> QuerySet[Experiment]:
    """Keep those that nothing but runs protects, such as the logged models of a room above."""
    for relation in Experiment._meta.related_objects:
        if relation.on_delete is PROTECT and relation.related_model is not Run:
            experiments = experiments.filter(
                ~Exists(relation.related_model._base_manager.filter(**{relation.field.name: OuterRef("pk")}))
            )
    return experiments
