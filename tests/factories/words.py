"""What a training leaves to read in the scene: scores, a refusal, advice, forecasts and answered questions."""

from datetime import datetime
from typing import Any

from django.utils import timezone

from apps.recommendations.models import Advice, Forecast, ImpactModel, ImpactScore, Importance, Training, WhatIf
from apps.registry.models import Artifact
from apps.tracking.models import Experiment, Project


def make_words(artifacts: list[Artifact], projects: list[Project], now: datetime) -> None:
    """What a training says: scores, a refusal, advice, forecasts met and not."""
    training = Training.objects.create(state="done", why="asked", asked_by="ada", percent=100, ended_at=now)
    impact = ImpactModel.objects.create(
        training=training,
        target="impact",
        unit="run",
        state="champion",
        level=0.9,
        rows=120,
        groups=12,
        promoted_at=now,
    )
    ImpactModel.objects.create(
        training=training,
        target="impact",
        unit="project",
        state="refused",
        reason="Only 5 finished projects have an outcome.",
        needs=[{"what": "finished projects with an outcome", "have": 5, "at_least": 100}],
    )
    success = ImpactModel.objects.create(
        training=training, target="success", unit="project", state="champion", level=0.8
    )
    for index, artifact in enumerate(artifacts):
        ImpactScore.objects.create(model=impact, artifact=artifact, **score(index))
    advise(impact, artifacts[0], projects, now)
    for project in projects[:5]:
        actual = {"actual": project.success, "settled_at": now}
        forecast(success, project, now, p10=40, p50=55, p90=70, **actual)
    reasons = [{"covariate": "complexity", "amount": -3.0}, {"covariate": "team's past success", "amount": 2.0}]
    forecast(success, projects[-1], now, p10=45, p50=60, p90=72, contributions=reasons)


def advise(model: ImpactModel, artifact: Artifact, projects: list[Project], now: datetime) -> None:
    """One piece of advice for the project that is open."""
    advised = {"model": model, "project": projects[-1], "basis": "impact", "made_at": now, "unit": "points"}
    Advice.objects.create(
        artifact=artifact,
        rank=1,
        status="ok",
        gain=0.4,
        low=0.1,
        high=0.7,
        n_projects=9,
        reasons=["It is associated with better runs."],
        evidence=[str(projects[1].pk)],
        **advised,
    )


def score(index: int) -> dict[str, Any]:
    """Half of the artifacts have a number; the others a refusal."""
    if index > 3:
        needs = [{"what": "projects with runs both with and without it", "have": 5, "at_least": 8}]
        return {"status": "refused", "reason": "Only 5 projects have runs both with and without it.", "needs": needs}
    effect = 0.8 - index * 0.5
    numbers = {"effect": effect, "low": effect - 0.4, "high": effect + 0.4, "raw_effect": effect * 1.4}
    return {
        "status": "early" if index == 1 else "ok",
        "n_used": 30,
        "n_unused": 40,
        "n_projects": 9,
        "overlap": 0.4,
    } | numbers


def forecast(model: ImpactModel, project: Project, now: datetime, **more: Any) -> None:
    """One forecast of success."""
    Forecast.objects.create(
        model=model, project=project, target="success", status="ok", basis="model", made_at=now, **more
    )


def make_questions(artifact: Artifact) -> dict[str, WhatIf]:
    """What-if questions: one answered, one refused, one that no worker has taken."""
    facts = {"complexity": 60, "team_size": 4, "dataset_facts": {"rows": 900}, "artifacts": [artifact.name]}
    words = {
        "code": "",
        "reason": "Based on 41 projects.",
        "needs": [],
        "level": 0.8,
        "basis": "model",
        "unit": "points",
    }
    reasons = [{"covariate": "complexity", "amount": -3.0}, {"covariate": "team_size", "amount": 2.0}]
    success = {"target": "success", "status": "early", "value": 58.0, "low": 41.0, "high": 74.0, "planned": None}
    missing = [{"what": "projects with this outcome", "have": 9, "at_least": 20}]
    nothing: dict[str, Any] = {"value": None, "low": None, "high": None, "contributions": [], "planned": None}
    cost = {"target": "cost", "status": "refused", "reason": "Only 9 projects have this outcome.", "needs": missing}
    chosen = {
        "artifact": artifact.name,
        "status": "ok",
        "reason": "",
        "effect": 0.8,
        "low": 0.4,
        "high": 1.2,
        "unit": "run",
        "n_projects": 9,
    }
    answers = {
        "answer": {
            "results": [words | success | {"contributions": reasons}, words | nothing | cost],
            "artifacts": [chosen],
        },
        "refused": {"results": [words | nothing | cost | {"target": name} for name in ("success", "cost")]},
    }
    made = {name: WhatIf.objects.create(state="done", facts=facts, answer=one) for name, one in answers.items()}
    return made | {"waiting": WhatIf.objects.create(facts={}, asked_by="ada")}


def make_importances(experiment: Experiment) -> None:
    """Which params go with a metric: answered, refused, waiting; the goal's last."""
    found = {
        **{"status": "early", "code": "few_runs", "reason": "Based on 41 runs; intervals are wide below 100."},
        **{"needs": [], "runs": 41, "finished": 44, "without_number": 3, "is_newest_only": False, "level": 0.8},
        **{"skill": {"value": 0.61, "low": 0.38, "high": 0.84}, "weighed": 3, "unused": ["run_folder"]},
        "weights": [
            weight(["learning_rate", "lr"], (0.48, 0.3, 0.66), 41, -0.7),
            weight(["boosting"], (0.12, 0.02, 0.22), 41, None),
            weight(["a_param_with_a_very_long_name_that_somebody_gave_it"], (-0.01, -0.04, 0.02), 30, 0.1),
        ],
    }
    missing = [{"what": "runs with the metric and a param that varies", "have": 12, "at_least": 30}]
    few = {"status": "refused", "code": "too_few_runs", "reason": "Too few runs: 12 of 30.", "needs": missing}
    none = found | few | {"runs": 12, "finished": 12, "skill": None, "weights": [], "weighed": 0}
    for metric, answer in (("val_loss", none), ("auc", found)):
        Importance.objects.create(
            experiment=experiment, metric=metric, state="done", answer=answer, ended_at=timezone.now()
        )
    Importance.objects.create(experiment=experiment, metric="train_loss", asked_by="ada")


def weight(params: list[str], share: tuple[float, float, float], runs: int, trend: float | None) -> dict[str, Any]:
    """One param's weight, as it is kept."""
    value, low, high = share
    return {
        **{"params": params, "share": value, "low": low, "high": high, "is_clear": low > 0},
        **{"runs": runs, "trend": trend},
    }
