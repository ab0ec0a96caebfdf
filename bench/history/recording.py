"""Log a run through the stock mlflow client, and read back what the store then holds.

Bench, not product. What goes into the history file is what was read back.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag

from bench.history.bundles import Bundle, settings_of
from bench.history.fitting import Measured


@dataclass(frozen=True)
class Record:
    """One run before it is logged."""

    project: str
    name: str
    bundle: Bundle
    started_ms: int
    measured: Measured


class Recorder:
    """One experiment a project, in any store that the mlflow client can reach."""

    def __init__(self, tracking_uri: str) -> None:
        self.client = MlflowClient(tracking_uri=tracking_uri)

    def experiment(self, project: str) -> str:
        """The experiment of a project, made if it is missing."""
        found = self.client.get_experiment_by_name(project)
        if found is not None:
            return str(found.experiment_id)
        return str(self.client.create_experiment(project, tags={"maestro.project": project}))

    def log(self, record: Record, experiment_id: str) -> dict[str, Any]:
        """Log one finished run. Returns it as the store gives it back."""
        tags = {
            "maestro.project": record.project,
            "maestro.uses": ", ".join(str(use) for use in record.bundle),
            "history.run": f"{record.project}/{record.name}",
        }
        run = self.client.create_run(
            experiment_id,
            start_time=record.started_ms,
            run_name=record.name,
            tags={key: value for key, value in tags.items() if value},
        )
        now_ms = int(time.time() * 1000)
        measured = record.measured
        metrics = [Metric(key, value, now_ms, 0) for key, value in measured.metrics.items()]
        metrics += [Metric(measured.curve_name, loss, now_ms, step) for step, loss in measured.curve]
        params = [Param(key, str(value)) for key, value in settings_of(record.bundle).items()]
        self.client.log_batch(run.info.run_id, metrics=metrics, params=params, tags=[RunTag("history.format", "1")])
        self.client.set_terminated(run.info.run_id, "FINISHED", end_time=now_ms)
        return self.read_back(run.info.run_id, measured.curve_name)

    def read_back(self, run_id: str, curve_name: str) -> dict[str, Any]:
        """A run in the history file's words."""
        run = self.client.get_run(run_id)
        row: dict[str, Any] = {
            "name": run.info.run_name,
            "started_ms": run.info.start_time,
            "ended_ms": run.info.end_time,
            "uses": run.data.tags.get("maestro.uses", ""),
            "params": run.data.params,
            "metrics": {key: value for key, value in run.data.metrics.items() if key != curve_name},
        }
        if curve_name:
            points = self.client.get_metric_history(run_id, curve_name)
            row["curve"] = {"metric": curve_name, "points": [[point.step, point.value] for point in points]}
        return row
