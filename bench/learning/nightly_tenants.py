"""Tenants for the nightly bench: finished projects, what they used, runs; with effects that are known.

Every second tenant records which of its 25 teams did a project; the others record none, so that each of their projects
stands for itself and LightGBM takes part in the estimates, which is the dearer case.
"""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from django_tenants.utils import tenant_context

from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.tenants import provisioning
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, MetricKey, Project, Run
from maestro.clock import to_ms

BEGAN = datetime(2022, 1, 3, tzinfo=UTC)
CLASSES = ("classification", "regression", "forecasting", "nlp")
PROJECTS_WITH_RUNS, RUNS, OPEN = 150, 6, 10


def make_tenant(slug: str, *, projects: int, artifacts: int, seed: int) -> Tenant:
    """One tenant with its history. A third of the artifacts help, a sixth hurt; good teams choose them more often."""
    tenant = provisioning.create(slug)
    with tenant_context(tenant):
        fill(projects, artifacts, random.Random(seed), with_teams=seed % 2 == 0)
    return tenant


def fill(count: int, artifacts: int, draw: random.Random, *, with_teams: bool) -> None:
    """Write everything in a few statements."""
    versions = make_versions(artifacts)
    order = draw.sample(range(artifacts), artifacts)
    effects = dict.fromkeys(order, 0.0)
    effects |= {k: draw.uniform(2, 7) for k in order[: artifacts // 3]}
    effects |= {k: -draw.uniform(2, 5) for k in order[artifacts // 3 : artifacts // 2]}
    shares = [draw.uniform(0.12, 0.5) for _ in range(artifacts)]
    made = [one_project(k, effects, shares, draw, is_open=k >= count - OPEN) for k in range(count)]
    for row, _ in [] if with_teams else made:
        row.team = ""
    Project.objects.bulk_create([row for row, _ in made], batch_size=1000)
    Usage.objects.bulk_create(
        [
            Usage(version=versions[k], project=row, observed=Usage.Observed.API, at=row.starts_at)
            for row, used in made
            for k in used
        ],
        batch_size=5000,
    )
    make_runs(made[:PROJECTS_WITH_RUNS], versions, effects, draw)


def make_versions(artifacts: int) -> list[ArtifactVersion]:
    """Artifacts of several kinds with one ready version each."""
    at, kinds = to_ms(BEGAN), Artifact.Kind.values
    made = Artifact.objects.bulk_create(
        Artifact(name=f"artifact-{k:02d}", kind=kinds[k % len(kinds)], created_ms=at, updated_ms=at)
        for k in range(artifacts)
    )
    return ArtifactVersion.objects.bulk_create(
        ArtifactVersion(artifact=one, number=1, state=ArtifactVersion.State.READY, created_ms=at, updated_ms=at)
        for one in made
    )


def one_project(
    k: int, effects: dict[int, float], shares: list[float], draw: random.Random, *, is_open: bool
) -> tuple[Project, list[int]]:
    """A project and the artifacts that it used."""
    team, complexity = draw.randrange(25), draw.randint(1, 100)
    quality = (team - 12) / 12
    used = [j for j, share in enumerate(shares) if draw.random() < min(0.9, max(0.05, share + 0.15 * quality))]
    began = BEGAN + timedelta(days=2 * k)
    gained = sum(effects[j] for j in used)
    success = min(100.0, max(0.0, 45 + 9 * quality - 0.15 * complexity + gained + draw.gauss(0, 6)))
    planned = 30 + complexity / 2
    took = planned * draw.lognormvariate(0.1, 0.3)
    row = Project(
        slug=f"project-{k:04d}",
        name=f"Project {k}",
        problem_class=CLASSES[k % len(CLASSES)],
        complexity=complexity,
        team=f"team {team:02d}",
        team_size=draw.randint(2, 12),
        dataset_facts={"rows": draw.randint(100, 100_000), "columns": draw.randint(3, 80), "missing": draw.random()},
        starts_at=began,
        planned_duration_days=planned,
        planned_effort_hours=planned * 12,
        goal_metric="accuracy",
    )
    return (row if is_open else ended(row, success, took, draw)), used


def ended(row: Project, success: float, took: float, draw: random.Random) -> Project:
    """The project as it is once somebody has said how it went."""
    row.ends_at = row.starts_at + timedelta(days=took) if row.starts_at else None
    row.success, row.outcome_source, row.outcome_set_by = success, Project.OutcomeSource.PERSON, "person:lead"
    row.outcome_set_at = row.ends_at
    row.actual_duration_days, row.actual_effort_hours = took, took * draw.uniform(8, 16)
    row.actual_cost = took * draw.uniform(500, 900)
    return row


def make_runs(
    projects: list[tuple[Project, list[int]]],
    versions: list[ArtifactVersion],
    effects: dict[int, float],
    draw: random.Random,
) -> None:
    """Finished runs with a goal metric that rises with what they used."""
    key = MetricKey.objects.create(name="accuracy")
    rows: list[tuple[Run, float, list[int]]] = []
    for project, _ in projects:
        at = to_ms(project.starts_at or BEGAN)
        experiment = Experiment.objects.create(name=project.slug, project=project, created_ms=at, updated_ms=at)
        level = draw.uniform(0.5, 0.8)
        for number in range(RUNS):
            picked = draw.sample(range(len(versions)), 6)
            value = level + 0.004 * sum(effects[j] for j in picked) + draw.gauss(0, 0.02)
            facts: dict[str, Any] = {"start_ms": at + number, "end_ms": at + number, "last_write_ms": at + number}
            rows.append((Run(experiment=experiment, name=f"run-{number}", status="FINISHED", **facts), value, picked))
    Run.objects.bulk_create([run for run, _, _ in rows], batch_size=1000)
    LatestMetric.objects.bulk_create(
        LatestMetric(run=run, experiment=run.experiment, key=key, step=0, timestamp_ms=run.start_ms, value=value)
        for run, value, _ in rows
    )
    Usage.objects.bulk_create(
        [
            Usage(
                version=versions[j],
                project_id=run.experiment.project_id,
                run=run,
                observed=Usage.Observed.TAG,
                at=BEGAN + timedelta(milliseconds=run.start_ms - to_ms(BEGAN)),
            )
            for run, _, picked in rows
            for j in picked
        ],
        batch_size=5000,
    )
