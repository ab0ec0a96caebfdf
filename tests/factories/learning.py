"""Tenants with a past whose truth is known, as rows: projects, versions, usages, runs."""

import random
import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.tracking.models import Experiment, LatestMetric, MetricKey, Project, Run
from maestro.clock import to_ms

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
CLASSES = ("classification", "regression")


@dataclass(frozen=True)
class Past:
    """What was made."""

    projects: list[Project]
    artifacts: list[Artifact]
    versions: list[ArtifactVersion]


def make_artifacts(count: int, prefix: str) -> tuple[list[Artifact], list[ArtifactVersion]]:
    """Artifacts with one ready version each."""
    at = to_ms(BEGAN)
    kind = Artifact.Kind.FEATURE_PIPELINE
    artifacts = [
        Artifact(name=f"{prefix}-artifact-{k:02d}", kind=kind, created_ms=at, updated_ms=at) for k in range(count)
    ]
    Artifact.objects.bulk_create(artifacts)
    versions = [
        ArtifactVersion(artifact=one, number=1, state=ArtifactVersion.State.READY, created_ms=at, updated_ms=at)
        for one in artifacts
    ]
    ArtifactVersion.objects.bulk_create(versions)
    return artifacts, versions


def make_past(
    projects: int, artifacts: int = 4, *, runs: int = 0, seed: int = 1, effect: float = 12.0, prefix: str = "past"
) -> Past:
    """Finished projects; the first artifact goes with `effect` points more, the others with nothing.

    Harder projects use the first artifact more often, so the plain difference is too small.
    """
    draw = random.Random(seed)  # noqa: S311
    made, versions = make_artifacts(artifacts, prefix)
    rows: list[Project] = []
    usages: list[list[bool]] = []
    for k in range(projects):
        complexity = draw.randint(1, 100)
        used = [draw.random() < (complexity / 100 if j == 0 else 0.5) for j in range(artifacts)]
        success = 60 - 0.3 * complexity + effect * used[0] + draw.gauss(0, 4)
        rows.append(past_project(k, complexity, success, draw=draw, prefix=prefix))
        usages.append(used)
    Project.objects.bulk_create(rows)
    Usage.objects.bulk_create(
        Usage(version=versions[j], project=row, observed=Usage.Observed.API, at=row.starts_at)
        for row, used in zip(rows, usages, strict=True)
        for j in range(artifacts)
        if used[j]
    )
    if runs:
        make_runs(rows, versions, runs, draw=draw)
    return Past(rows, made, versions)


def past_project(k: int, complexity: int, success: float, *, draw: random.Random, prefix: str) -> Project:
    """The k-th finished project."""
    began = BEGAN + timedelta(days=3 * k)
    return Project(
        slug=f"{prefix}-{k:04d}",
        name=f"Past {k}",
        problem_class=CLASSES[k % 2],
        complexity=complexity,
        team_size=draw.randint(2, 9),
        dataset_facts={"rows": draw.randint(100, 10_000), "columns": draw.randint(3, 60)},
        starts_at=began,
        ends_at=began + timedelta(days=60),
        planned_duration_days=50 + complexity / 2,
        actual_duration_days=(50 + complexity / 2) * draw.uniform(0.8, 1.4),
        goal_metric="accuracy",
        success=min(100.0, max(0.0, success)),
        outcome_source=Project.OutcomeSource.PERSON,
        outcome_set_at=began + timedelta(days=61),
        outcome_set_by="person:lead",
    )


def make_runs(
    projects: list[Project],
    versions: list[ArtifactVersion],
    count: int,
    *,
    draw: random.Random,
    gain: float = 0.05,
    only: Mapping[int, Collection[str]] | None = None,
) -> list[Run]:
    """Finished runs with a goal metric; the first artifact adds `gain` to it.

    only   the number of an artifact -> the problem classes that use it; the others are used in all
    """
    kept = only or {}
    key, _ = MetricKey.objects.get_or_create(name="accuracy")
    made: list[Run] = []
    values: list[float] = []
    used: list[list[int]] = []
    for project in projects:
        experiment = Experiment.objects.create(
            name=project.slug, project=project, created_ms=to_ms(BEGAN), updated_ms=to_ms(BEGAN)
        )
        level = draw.uniform(0.5, 0.8)
        for k in range(count):
            at = to_ms(project.starts_at or BEGAN) + k * 1000
            made.append(
                Run(experiment=experiment, name=f"run-{k}", status="FINISHED", start_ms=at, end_ms=at, last_write_ms=at)
            )
            drawn = [j for j in range(len(versions)) if draw.random() < 0.5]
            picked = [j for j in drawn if j not in kept or project.problem_class in kept[j]]
            used.append(picked)
            values.append(level + gain * (0 in picked) + draw.gauss(0, 0.02))
    Run.objects.bulk_create(made)
    LatestMetric.objects.bulk_create(
        LatestMetric(run=run, experiment=run.experiment, key=key, step=0, timestamp_ms=run.start_ms, value=value)
        for run, value in zip(made, values, strict=True)
    )
    Usage.objects.bulk_create(
        Usage(
            version=versions[j],
            project_id=run.experiment.project_id,
            run=run,
            observed=Usage.Observed.TAG,
            at=BEGAN + timedelta(milliseconds=run.start_ms - to_ms(BEGAN)),
        )
        for run, picked in zip(made, used, strict=True)
        for j in picked
    )
    return made


def make_again(past: Past, *, order: random.Random) -> None:
    """Write the projects and uses of a past anew, in another order and with other ids, as an import would."""
    used = list(Usage.objects.filter(project__in=past.projects).values_list("version_id", "project__slug", "at"))
    Usage.objects.filter(project__in=past.projects).delete()
    Project.objects.filter(pk__in=[one.pk for one in past.projects]).delete()
    for one in past.projects:
        one.pk = uuid.uuid4()
    shuffled = order.sample(past.projects, len(past.projects))
    Project.objects.bulk_create(shuffled)
    ids = {one.slug: one.pk for one in shuffled}
    Usage.objects.bulk_create(
        Usage(version_id=version, project_id=ids[slug], observed=Usage.Observed.API, at=at)
        for version, slug, at in order.sample(used, len(used))
    )
