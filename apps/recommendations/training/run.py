"""The recommendations room: one training, from rows to what serves. Loads LightGBM: runs in a process of its own.

    read one snapshot -> digest -> the same as last time? then done -> fit -> backtest -> publish in one transaction

The lease (leases.py) is renewed from a thread; whoever loses it ends at once and writes nothing.
"""

import os
import resource
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models.functions import Now
from django.utils import timezone

from apps.recommendations.estimators.drift import drift_of
from apps.recommendations.models import Advice, ImpactModel, Training
from apps.recommendations.past import dataset
from apps.recommendations.past.arrays import covariates_of
from apps.recommendations.past.history import History, digest_of
from apps.recommendations.training import contests
from apps.recommendations.training.advice import advise
from apps.recommendations.training.forecasts import ForecastFinding, RankingFinding, find_forecasts, find_ranking
from apps.recommendations.training.holdout import NO_RIVAL, Rival, split_by_time
from apps.recommendations.training.impact import ImpactFinding, Meter, elapsed_ms, find_project_impact, find_run_impact
from apps.recommendations.training.publishing import publish_forecast, publish_impact, publish_ranking
from apps.recommendations.work import leases
from apps.recommendations.work.processes import NO_MEMORY
from apps.registry import observations
from apps.tenants.models import Tenant

# Raise it when estimators change, so that equal data are learnt from anew.
METHOD_VERSION = 4
PARTS = 17.0
LOST_EXIT = 75


@dataclass(slots=True)
class Findings:
    """What one training found."""

    history: History
    digest: str
    fit_ms: int
    impact: list[ImpactFinding] = field(default_factory=list)
    forecasts: list[ForecastFinding] = field(default_factory=list)
    ranking: RankingFinding | None = None


def work(tenant: Tenant, training_id: UUID, owner: str) -> Training:
    """Do a training whose lease is held by `owner`. The caller stands in the tenant."""
    with leases.heartbeat(tenant, training_id, owner, on_loss=leave):
        training = Training.objects.fetch(str(training_id))
        try:
            run(training, owner)
        except MemoryError:
            leases.fail(training_id, NO_MEMORY, owner=owner)
    return Training.objects.fetch(str(training_id))


def leave() -> None:
    """End this process: another one does the training now."""
    os._exit(LOST_EXIT)


def run(training: Training, owner: str) -> None:
    """Read, fit, publish."""
    # The scan of what runs use has its own schedule; what was logged a second ago shall count in this training.
    observations.observe(timezone.now())
    history = dataset.read_history()
    digest = digest_of(history)
    if not training.force and is_known(training, digest):
        finish(training, owner, Findings(history, digest, 0), reason="the data are those of the last training")
        return

    def report(share: float, step: str) -> None:
        leases.report(training.pk, owner, percent=round(100 * share), step=step)

    meter = Meter(report, PARTS)
    findings = find(history, digest, seed=training.seed, meter=meter, rivals=contests.rivals())
    finish(training, owner, findings)


def find(
    history: History,
    digest: str,
    *,
    seed: int,
    meter: Meter,
    rivals: Mapping[tuple[str, str], Rival],
) -> Findings:
    """Everything that is estimated. Equal history and seed, equal models, to the bit; rivals only choose the backtest."""
    started = time.perf_counter()
    by_projects, by_runs = (rivals.get(("impact", unit), NO_RIVAL) for unit in ("project", "run"))
    impact = [
        find_project_impact(history, seed=seed, meter=meter, rival=by_projects),
        find_run_impact(history, seed=seed, meter=meter, rival=by_runs),
    ]
    serving = {target: rival for (target, _), rival in rivals.items()}
    forecasts = find_forecasts(history, seed=seed, meter=meter, rivals=serving)
    ranking = find_ranking(history, seed=seed, meter=meter)
    return Findings(history, digest, elapsed_ms(started), impact, forecasts, ranking)


def is_known(training: Training, digest: str) -> bool:
    """Say whether the last finished training read the same rows in the same way."""
    last = Training.objects.done().exclude(pk=training.pk).order_by("-ended_at").first()
    return last is not None and last.data_digest == digest and last.counts.get("method") == METHOD_VERSION


def finish(training: Training, owner: str, findings: Findings, *, reason: str = "") -> None:
    """Write all results and end the training, in one transaction that holds the lease."""
    at = timezone.now()
    with leases.holding(training.pk, owner) as mine:
        publish(mine, findings, at=at)
        mine.state, mine.percent, mine.step, mine.reason = Training.State.DONE, 100, "", reason
        mine.data_digest, mine.data_at, mine.data_ms = findings.digest, findings.history.at, findings.history.sql_ms
        mine.fit_ms, mine.peak_bytes = findings.fit_ms, peak_bytes()
        mine.counts = {**findings.history.counts, "method": METHOD_VERSION}
        mine.drift = input_drift(findings.history)
        mine.ended_at, mine.lease_owner, mine.lease_until = at, "", None
        mine.save()
        Training.objects.filter(pk=mine.pk).update(ended_at=Now())


def publish(training: Training, findings: Findings, *, at: datetime) -> None:
    """Write every model, then the advice that rests on those that serve."""
    for finding in findings.impact:
        publish_impact(training, finding, at=at)
    for forecast in findings.forecasts:
        publish_forecast(training, forecast, at=at)
    if findings.ranking is None:
        return
    made = publish_ranking(training, findings.ranking, at=at)
    serving = ImpactModel.objects.serving("impact")
    models = {"owner": made}
    if serving is not None and serving.state == ImpactModel.State.CHAMPION:
        models["impact"] = serving
    if made.state == ImpactModel.State.CHAMPION:
        models["ranking"] = made
    Advice.objects.bulk_create(advise(findings.history, findings.ranking, models, at=at), batch_size=500)


def input_drift(history: History) -> dict[str, Any]:
    """How the projects of the last quarter differ from those before, in what was known of them."""
    earlier, later = split_by_time(history.projects)
    return drift_of(covariates_of(earlier), covariates_of(later))


def peak_bytes() -> int:
    """The most memory this process has held."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
