"""The recommendations room: a tenant's rows -> the History that every training reads.

Eight queries whatever the size, all in one snapshot, so that no row is from before a change and another from
after it. Reads the current tenant's schema and nothing else.
"""

import math
import time
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, Q

from apps.recommendations.past.history import (
    ArtifactRow,
    Ending,
    History,
    ProjectRow,
    RunRow,
    kept_facts,
    past_of,
    plain_facts,
    quarter_of,
)
from apps.registry.models import Artifact, Usage
from apps.tracking.models import DEFAULT_PROJECT_ID, LatestMetric, Member, Project, Run

MOST_RUNS = 200_000
CHUNK = 5_000
PLANS = ("planned_duration_days", "planned_cost", "planned_effort_hours")
Used = Mapping[UUID, frozenset[UUID]]


@contextmanager
def snapshot(statement_timeout: str = "5min") -> Iterator[None]:
    """Read as of one moment. Inside somebody else's transaction (tests) that one's rules hold."""
    if connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        cursor.execute(f"SET LOCAL statement_timeout = '{statement_timeout}'")
        yield


def read_history() -> History:
    """Read the current tenant's past."""
    started = time.perf_counter()
    with snapshot():
        at = database_time()
        by_project, usages = read_project_usages()
        people = read_people()
        projects = list(project_values())
        runs = tuple(read_runs())
        artifacts = read_artifacts()
    sql_ms = round((time.perf_counter() - started) * 1000)
    rows = tuple(build_projects(projects, people, by_project, at=at))
    counts = {
        "projects": len(rows),
        "finished": sum(row.actual["success"] is not None for row in rows),
        "runs": len(runs),
        "usages": usages,
        "artifacts": len(artifacts),
    }
    return History(rows, runs, artifacts, at, sql_ms, counts)


def database_time() -> datetime:
    """The database's time of the snapshot."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT transaction_timestamp()")
        (at,) = cursor.fetchone()
    return at


def project_values() -> Iterator[dict[str, Any]]:
    """Projects but the one that gathers runs of no project."""
    fields = (
        "id",
        "slug",
        "name",
        "team",
        "problem_class",
        "complexity",
        "dataset_facts",
        "team_size",
        "starts_at",
        "ends_at",
        "created_at",
        "success",
        "outcome_set_at",
        "actual_duration_days",
        "actual_cost",
        "actual_effort_hours",
        *PLANS,
    )
    rows = Project.objects.exclude(pk=DEFAULT_PROJECT_ID).order_by("pk").values(*fields)
    return rows.iterator(chunk_size=CHUNK)


def read_people() -> Mapping[UUID, frozenset[str]]:
    """Who is a member of what."""
    found: dict[UUID, set[str]] = defaultdict(set)
    for project, user in Member.objects.values_list("project_id", "user_id").iterator(chunk_size=CHUNK):
        found[project].add(f"person {user}")
    return {project: frozenset(people) for project, people in found.items()}


def live_usages() -> Any:
    """Usages whose run, if any, is not in the trash."""
    return Usage.objects.filter(Q(run=None) | Q(run__deleted_ms=None))


def read_project_usages() -> tuple[Used, int]:
    """Which artifacts each project used, by whatever run or version; and how many such pairs."""
    found: dict[UUID, set[UUID]] = defaultdict(set)
    pairs = live_usages().order_by().values_list("project_id", "version__artifact_id").distinct()
    for project, artifact in pairs.iterator(chunk_size=CHUNK):
        found[project].add(artifact)
    return {key: frozenset(used) for key, used in found.items()}, sum(map(len, found.values()))


def read_run_usages(wanted: Container[UUID]) -> Used:
    """Which artifacts each wanted run used. Equal ids and sets are one object: a million rows stay small."""
    found: dict[UUID, frozenset[UUID]] = {}
    ids: dict[UUID, UUID] = {}
    sets: dict[frozenset[UUID], frozenset[UUID]] = {}
    uses = Usage.objects.exclude(run=None).order_by("run_id").values_list("run_id", "version__artifact_id").distinct()
    for run, pairs in groupby(uses.iterator(chunk_size=CHUNK), key=itemgetter(0)):
        if run in wanted:
            used = frozenset(ids.setdefault(artifact, artifact) for _, artifact in pairs)
            found[run] = sets.setdefault(used, used)
    return found


def read_runs() -> Iterator[RunRow]:
    """Finished runs that logged their project's goal metric: the newest, up to a bound, in the order of their ids."""
    goal = F("run__experiment__project__goal_metric")
    rows = LatestMetric.objects.filter(
        key__name=goal, run__status=Run.Status.FINISHED, run__deleted_ms=None, run__experiment__deleted_ms=None
    )
    asked = rows.exclude(run__experiment__project=DEFAULT_PROJECT_ID)
    newest = asked.order_by("-run__start_ms", "run_id").values_list(
        "run_id",
        "run__experiment__project_id",
        "run__experiment__project__slug",
        "run__experiment__project__goal_maximize",
        "value",
        "run__start_ms",
    )[:MOST_RUNS]
    kept = sorted(row for row in newest.iterator(chunk_size=CHUNK) if math.isfinite(row[4]))
    used = read_run_usages({row[0] for row in kept})
    for run, project, slug, maximize, value, start_ms in kept:
        yield RunRow(run, project, slug, value if maximize else -value, start_ms, used.get(run, frozenset()))


def read_artifacts() -> tuple[ArtifactRow, ...]:
    """Artifacts that were ever used, in the order of their ids."""
    rows = Artifact.everything.filter(versions__usages__isnull=False).distinct().order_by("pk")
    return tuple(ArtifactRow(*row) for row in rows.values_list("pk", "name", "kind"))


def build_projects(
    projects: Sequence[Mapping[str, Any]], members: Mapping[UUID, frozenset[str]], used: Used, *, at: datetime
) -> Iterator[ProjectRow]:
    """Put each project's parts together."""
    facts = kept_facts(row["dataset_facts"] for row in projects if isinstance(row["dataset_facts"], dict))
    people = {row["id"]: people_of(row, members) for row in projects}
    records = records_of(projects, people)
    for row in projects:
        began = row["starts_at"] or row["created_at"]
        theirs = [records.get(who, []) for who in sorted(people[row["id"]])]
        past, number = past_of(theirs, row["id"], began)
        known = known_before(row, began) | plain_facts(row["dataset_facts"], facts)
        known |= {"past_success": past, "past_projects": number}
        yield project_row(row, began, known, used=used.get(row["id"], frozenset()), at=at)


def people_of(row: Mapping[str, Any], members: Mapping[UUID, frozenset[str]]) -> frozenset[str]:
    """Whose record a project counts on: its team's, and its members'."""
    team = frozenset({f"team {row['team']}"}) if row["team"] else frozenset()
    return team | members.get(row["id"], frozenset())


def records_of(
    projects: Sequence[Mapping[str, Any]], people: Mapping[UUID, frozenset[str]]
) -> Mapping[str, list[Ending]]:
    """Each person's and team's finished projects, in the order of time."""
    found: dict[str, list[Ending]] = defaultdict(list)
    for row in projects:
        if row["success"] is None:
            continue
        ended = row["ends_at"] or row["outcome_set_at"] or row["created_at"]
        for who in people[row["id"]]:
            found[who].append(Ending(ended, row["id"], row["success"]))
    return {who: sorted(endings) for who, endings in found.items()}


def known_before(row: Mapping[str, Any], began: datetime) -> dict[str, Any]:
    """What anyone knew before choosing an artifact."""
    return {
        "problem_class": row["problem_class"],
        "complexity": row["complexity"],
        "team_size": row["team_size"],
        "start_quarter": quarter_of(began),
        **{name: row[name] for name in PLANS},
    }


def project_row(
    row: Mapping[str, Any], began: datetime, known: dict[str, Any], *, used: frozenset[UUID], at: datetime
) -> ProjectRow:
    """One project's row."""
    return ProjectRow(
        id=row["id"],
        slug=row["slug"],
        name=row["name"],
        team=row["team"],
        problem_class=row["problem_class"],
        began=began,
        ended=row["ends_at"] or row["outcome_set_at"],
        is_open=row["success"] is None and (row["ends_at"] is None or row["ends_at"] > at),
        team_size=row["team_size"],
        known=known,
        actual={
            "success": row["success"],
            "duration": row["actual_duration_days"],
            "cost": row["actual_cost"],
            "effort": row["actual_effort_hours"],
        },
        planned={
            "success": None,
            "duration": row["planned_duration_days"],
            "cost": row["planned_cost"],
            "effort": row["planned_effort_hours"],
        },
        used=used,
    )
