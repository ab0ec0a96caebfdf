"""The recommendations room: which params of an experiment go with a metric. Loads LightGBM: never in a web process."""

import math
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.db.models.functions import Left

from apps.recommendations.estimators.importance import LEVEL, ParamData, Weighed, Weight, weigh
from apps.recommendations.estimators.tables import table_from_columns
from apps.recommendations.models import Importance
from apps.recommendations.past.arrays import numbers
from apps.recommendations.training.publishing import needs_of
from apps.tracking.models import LatestMetric, Param, Run

MOST_RUNS, MOST_PARAMS, MOST_SHOWN, MOST_UNUSED, VALUE_CHARS = 2_000, 100, 30, 50, 200


def answer(question: Importance, *, at: datetime) -> None:
    """Answer from the experiment's finished runs, and keep the answer."""
    runs = runs_of(question)
    finite = [(run_id, value) for run_id, value in runs if math.isfinite(value)]
    found = weigh(data_of(finite))
    finished = Run.objects.active().filter(experiment=question.experiment_id, status=Run.Status.FINISHED)
    question.answer = shown(found) | {
        "finished": finished.count(),
        "without_number": len(runs) - len(finite),
        "is_newest_only": len(runs) == MOST_RUNS,
    }
    question.state, question.ended_at = Importance.State.DONE, at
    question.save(update_fields=["answer", "state", "ended_at"])


def runs_of(question: Importance) -> list[tuple[uuid.UUID, float]]:
    """Finished runs with the metric's latest value, the newest first."""
    latest = LatestMetric.objects.filter(
        experiment=question.experiment_id,
        key__name=question.metric,
        run__deleted_ms=None,
        run__status=Run.Status.FINISHED,
    )
    return list(latest.order_by("-run__start_ms", "run_id").values_list("run_id", "value")[:MOST_RUNS])


def data_of(runs: Sequence[tuple[uuid.UUID, float]]) -> ParamData:
    """The params that differ between the runs: the most common ones."""
    places = {run_id: place for place, (run_id, _) in enumerate(sorted(runs))}
    params = Param.objects.filter(run_id__in=places)
    text = Left("value", VALUE_CHARS)
    counted = params.values("key").annotate(runs_n=Count("run_id"), levels_n=Count(text, distinct=True))
    keys = list(counted.filter(levels_n__gt=1).order_by("-runs_n", "key").values_list("key", flat=True)[:MOST_PARAMS])
    columns: dict[str, list[str | None]] = {key: [None] * len(places) for key in keys}
    for run_id, key, value in params.filter(key__in=keys).values_list("run_id", "key", text):
        columns[key][places[run_id]] = value
    metric = numbers([value for _, value in sorted(runs)])
    return ParamData(tuple(run_id.hex for run_id in places), table_from_columns(columns, rows=len(places)), metric)


def shown(found: Weighed) -> dict[str, Any]:
    """What was found, as pages and the API show it. A refusal has no weights."""
    verdict = found.verdict
    return {
        **{"status": verdict.status, "code": verdict.code, "reason": verdict.reason, "needs": needs_of(verdict)},
        "runs": found.runs,
        "level": LEVEL,
        "skill": None if found.skill is None else asdict(found.skill),
        "weights": [shown_weight(weight) for weight in found.weights[:MOST_SHOWN]],
        "weighed": len(found.weights),
        "unused": list(found.unused[:MOST_UNUSED]),
    }


def shown_weight(weight: Weight) -> dict[str, Any]:
    """One param's weight."""
    share = weight.share
    return {
        "params": list(weight.params),
        **{"share": share.value, "low": share.low, "high": share.high, "is_clear": weight.is_clear},
        **{"runs": weight.runs, "trend": weight.trend},
    }
