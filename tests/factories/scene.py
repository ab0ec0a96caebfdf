"""A small tenant to look at: projects, runs with curves and files, artifacts with lineage, a training and its words.

Written as rows, so that pages can be looked at before (and without) a training; the numbers mean nothing.
"""

import json
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.contrib.auth.models import User
from django.utils import timezone

from apps.recommendations.models import WhatIf
from apps.registry import prompts
from apps.registry.models import (
    Alias,
    Artifact,
    ArtifactVersion,
    Edge,
    LoggedModel,
    Promotion,
    Usage,
    VersionFile,
    VersionTag,
)
from apps.tracking.files import blobs
from apps.tracking.models import (
    Dataset,
    Experiment,
    LatestMetric,
    MetricChunk,
    MetricKey,
    Param,
    Project,
    Run,
    RunFile,
    RunInput,
    SavedView,
    Tag,
)
from maestro.clock import to_ms
from tests.browser.traced import HOSTILE, make_traces
from tests.factories.gate_scene import make_gate
from tests.factories.words import make_importances, make_questions, make_words

PASSWORD = "a long test passphrase"
POINTS = 300
KINDS = ("feature_pipeline", "model_template", "notebook", "schema")
NOTEBOOK = json.dumps(
    {
        "cells": [
            {"cell_type": "markdown", "source": ["# Look at the data"]},
            {"cell_type": "code", "source": "frame.shape", "outputs": [{"data": {"text/plain": ["(1200, 18)"]}}]},
        ]
    }
)


@dataclass
class Scene:
    """What a test may open."""

    project: Project
    open_project: Project
    experiment: Experiment
    runs: list[Run] = field(default_factory=list)
    artifacts: list[Artifact] = field(default_factory=list)
    version: ArtifactVersion | None = None
    prompt: ArtifactVersion | None = None
    questions: dict[str, WhatIf] = field(default_factory=dict)
    trace: str = "tr-of_the-scene"
    view: SavedView = field(default_factory=SavedView)
    promotion: Promotion = field(default_factory=Promotion)


def build() -> Scene:
    """Write the rows into the current tenant."""
    now = timezone.now()
    User.objects.create_superuser("ada", "ada@example.org", PASSWORD)
    projects = [make_project(index, now) for index in range(6)]
    scene = Scene(projects[0], projects[5], make_experiment(projects[5], now))
    scene.artifacts = [make_artifact(index, now) for index in range(6)]
    scene.runs = [make_run(scene, index, now) for index in range(12)]
    scene.version = make_model(scene, now)
    scene.promotion = make_gate(scene.version, now)
    scene.prompt = make_prompt(now)
    scene.view = SavedView.objects.create(
        name=f"best first {HOSTILE}"[:100],
        owner="person:somebody-else",
        owner_name="bob",
        experiment=scene.experiment,
        project=scene.open_project,
        is_shared=True,
        state={"sort": "-m.auc", "columns": ["m.auc", "p.boosting"], "experiments": [scene.experiment.pk]},
    )
    make_traces(scene.runs[3], scene.trace)
    make_words(scene.artifacts, projects, now)
    scene.questions = make_questions(scene.artifacts[0])
    make_importances(scene.experiment)
    return scene


def make_project(index: int, now: datetime) -> Project:
    """One project; the last has no outcome yet."""
    return Project.objects.create(
        slug=f"churn-{index}",
        name=f"Churn {index}" if index else f"Churn {HOSTILE}",
        problem_class="classification",
        complexity=40 + index,
        team="blue",
        team_size=4,
        starts_at=now - timedelta(days=90 - index),
        goal_metric="auc",
        success=None if index == 5 else 50 + index,
        outcome_source="" if index == 5 else "person",
        outcome_set_by="" if index == 5 else "ada",
        planned_duration_days=40,
        dataset_facts={"rows": 1200, "columns": 18},
    )


def make_experiment(project: Project, now: datetime) -> Experiment:
    """Where the runs go."""
    return Experiment.objects.create(
        project=project, name="churn baseline", created_ms=to_ms(now), updated_ms=to_ms(now)
    )


def make_artifact(index: int, now: datetime) -> Artifact:
    """An artifact with two versions, the newer one with an alias and a file."""
    artifact = Artifact.objects.create(
        name=f"target-encoder-{index}",
        kind=KINDS[index % len(KINDS)],
        owner="ada",
        description="Encodes categories by their mean outcome.",
        card=f"# Card\n\nFor **skewed** columns.\n\n- fits on the training fold\n\n{HOSTILE}\n\n[bad](javascript:alert(1))",
        created_ms=to_ms(now),
        updated_ms=to_ms(now),
    )
    for number in (1, 2):
        version = ArtifactVersion.objects.create(
            artifact=artifact,
            number=number,
            state="ready",
            digest=f"{index}{number}".rjust(64, "0"),
            created_ms=to_ms(now),
            updated_ms=to_ms(now),
        )
    Alias.objects.create(artifact=artifact, version=version, name="champion")
    VersionFile.objects.create(version=version, path="pipeline/encoder.py", blob=blobs.store_text("print('encode')\n"))
    return artifact


def make_run(scene: Scene, index: int, now: datetime) -> Run:
    """A run with three curves, a single value, params, tags, files and the artifacts it used."""
    start_ms = to_ms(now) - (index + 1) * 3_600_000
    status = {0: Run.Status.RUNNING, 1: Run.Status.FAILED, 2: Run.Status.LOST}.get(index, Run.Status.FINISHED)
    run = Run.objects.create(
        experiment=scene.experiment,
        name=f"mellow-fox-{index}",
        user_name="ada",
        status=status,
        start_ms=start_ms,
        end_ms=None if index in {0, 2} else start_ms + 65_000,
        last_write_ms=to_ms(now),
    )
    for name, scale in (("train_loss", 1.0), ("val_loss", 1.3), ("auc", -0.4)):
        add_curve(run, name, [scale * math.exp(-step / 60) + 0.9 + index / 100 for step in range(POINTS)])
    add_curve(run, "accuracy", [0.8 + index / 100])
    Param.objects.bulk_create(
        Param(run=run, key=key, value=value)
        for key, value in {
            "learning_rate": f"{0.01 * (index + 1):.2f}",
            "boosting": ("gbdt", "dart")[index % 2],
            "seed": "1",
        }.items()
    )
    Tag.objects.create(run=run, key="mlflow.source.git.commit", value="b" * 40)
    Tag.objects.create(run=run, key="stage", value="explore")
    for path, text in (
        ("notes.md", f"# Notes\n\n{HOSTILE}"),
        ("data/scores.csv", "row,score\n1,0.5\n2,0.7\n"),
        ("page.html", HOSTILE),
        ("work.ipynb", NOTEBOOK),
    ):
        RunFile.objects.create(run=run, path=path, blob=blobs.store_text(text))
    for artifact in scene.artifacts[index % 3 :: 3]:
        version = artifact.versions.get(number=2)
        Usage.objects.create(version=version, project=scene.experiment.project, run=run, observed="tag", at=now)
    return run


def add_curve(run: Run, name: str, values: list[float]) -> None:
    """A metric's points as one chunk, and its latest value."""
    key, _ = MetricKey.objects.get_or_create(name=name)
    times = [run.start_ms + step * 200 for step in range(len(values))]
    MetricChunk.objects.create(
        run=run,
        key=key,
        count=len(values),
        first_step=0,
        last_step=len(values) - 1,
        first_ms=times[0],
        last_ms=times[-1],
        steps=list(range(len(values))),
        timestamps_ms=times,
        values=values,
    )
    LatestMetric.objects.create(
        run=run, experiment=run.experiment, key=key, step=len(values) - 1, timestamp_ms=times[-1], value=values[-1]
    )


def make_model(scene: Scene, now: datetime) -> ArtifactVersion:
    """A registered model: of a run that read a dataset, by way of its logged model, used by a later run and a project."""
    model = Artifact.objects.create(name="churn-model", kind="model", created_ms=to_ms(now), updated_ms=to_ms(now))
    run = scene.runs[3]
    data = Dataset.objects.create(experiment=run.experiment, name=f"customers-of-{HOSTILE}", digest="0a1b2c3d")
    RunInput.objects.create(run=run, dataset=data)
    at = {"created_ms": to_ms(now), "updated_ms": to_ms(now)}
    logged = LoggedModel.objects.create(experiment=run.experiment, run=run, name="gradient-boosted-churn-of-may", **at)
    version = ArtifactVersion.objects.create(
        artifact=model, number=1, state="ready", run=run, logged_model=logged, **at
    )
    Edge.objects.create(from_model=logged, to_version=version, kind="registered")
    use = {"version": version, "observed": "api", "at": now}
    Usage.objects.create(project=scene.open_project, run=scene.runs[6], **use)
    Usage.objects.create(project=scene.project, **use)
    VersionFile.objects.create(version=version, path="model.txt", blob=blobs.store_text("tree\n"))
    return version


def make_prompt(now: datetime) -> ArtifactVersion:
    """A chat in two versions, of which the newer says more and asks for a form."""
    prompt = Artifact.objects.create(name="churn-letter", kind="prompt", created_ms=to_ms(now), updated_ms=to_ms(now))
    orders = ["Write to {{ customer.name }}.\nBe {{ mood }}.", f"Write to {{{{ customer.name }}}}.\nBe kind. {HOSTILE}"]
    for number, order in enumerate(orders, start=1):
        messages = [{"role": "system", "content": order}, {"role": "user", "content": "About {{ product }}?"}]
        schema = '{"type": "object", "properties": {"letter": {"type": "string"}}}' if number == 2 else ""
        template = prompts.Template(json.dumps(messages), is_chat=True, response_format=schema)
        version = ArtifactVersion.objects.create(
            artifact=prompt, number=number, state="ready", created_ms=to_ms(now), updated_ms=to_ms(now)
        )
        VersionTag.objects.bulk_create(VersionTag(version=version, key=k, value=v) for k, v in template.tags.items())
        for path, text in template.files.items():
            VersionFile.objects.create(version=version, path=path, blob=blobs.store_text(text))
    return version
