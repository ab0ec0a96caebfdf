"""The registry room: MLflow's SQLite file, opened for reading only.

Source  mlflow 3.17.2, store/tracking/dbmodels/models.py and store/model_registry/dbmodels/models.py
"""

import math
import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import orjson

from apps.registry.imports import fit
from apps.registry.imports.contents import SourceFile
from apps.registry.imports.folder import Folder
from apps.registry.imports.mlflow import checks, places
from apps.registry.imports.mlflow.given import (
    GivenExperiment,
    GivenFigure,
    GivenModel,
    GivenRegistered,
    GivenRun,
    TracedRequest,
)
from apps.registry.imports.report import Report
from apps.tracking.metrics.digests import Brought
from maestro.errors import Invalid, NotFound

MAGIC = b"SQLite format 3\0"
AT_ONCE_RUNS = 200
DELETED_VERSION = "Deleted_Internal"
Rows = list[dict[str, Any]]
T = TypeVar("T")


class Database:
    """A SQLite file of MLflow. Tables and columns that an older version lacks are as if empty."""

    def __init__(self, path: Path, artifacts: Folder | None, report: Report, *, name: str) -> None:
        self.artifacts, self.report, self.name = artifacts, report, name
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise Invalid(f"{path} is no SQLite file", "not_sqlite")
        self.link = sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)
        self.link.row_factory = sqlite3.Row
        self.columns: dict[str, set[str]] = {}
        if not self.known("experiments") or not self.known("runs"):
            raise Invalid(f"{path} holds no tables of MLflow", "not_mlflow")

    def known(self, table: str) -> set[str]:
        """The columns of a table; none where there is no such table."""
        if table not in self.columns:
            rows = self.asked("SELECT name FROM pragma_table_info(?)", [table])
            self.columns[table] = {row["name"] for row in rows}
        return self.columns[table]

    def asked(self, sql: str, params: Sequence[Any] = ()) -> Rows:
        """Ask the file. Raises Invalid where it is broken."""
        try:
            return [dict(row) for row in self.link.execute(sql, params)]
        except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
            raise Invalid(f"the SQLite file can't be read: {error}", "bad_sqlite") from error

    def where(self, table: str, column: str, values: Sequence[Any]) -> Rows:
        """Rows of a table by some values of a column; `table` and `column` are constants of ours."""
        if column not in self.known(table):
            return []
        marks = ", ".join("?" * len(values))
        return self.asked(f"SELECT * FROM {table} WHERE {column} IN ({marks})", list(values))  # noqa: S608

    def pairs(self, table: str, owner: str, values: Sequence[Any]) -> dict[Any, dict[str, Any]]:
        """Names and texts by whose they are."""
        found: dict[Any, dict[str, Any]] = {}
        for row in self.where(table, owner, values):
            name = row.get("key") or row.get("param_key") or row.get("tag_key")
            found.setdefault(row[owner], {})[str(name)] = row_value(row)
        return found

    def experiments(self) -> Iterator[GivenExperiment]:
        """All experiments."""
        rows = self.asked("SELECT * FROM experiments ORDER BY experiment_id")
        tags = self.pairs("experiment_tags", "experiment_id", [row["experiment_id"] for row in rows][:30_000])
        for row in rows:
            number = row["experiment_id"]
            work = partial(checks.experiment, row, tags.get(number, {}))
            found = self.report.tried("experiment", number, work)
            if found is not None:
                yield found

    def runs(self, experiment: GivenExperiment) -> Iterator[list[GivenRun]]:
        """An experiment's runs, some at a time."""
        sql = "SELECT * FROM runs WHERE experiment_id = ? AND run_uuid > ? ORDER BY run_uuid LIMIT ?"
        last = ""
        while rows := self.asked(sql, [experiment.id, last, AT_ONCE_RUNS]):
            last = rows[-1]["run_uuid"]
            yield self.whole(rows)

    def whole(self, rows: Rows) -> list[GivenRun]:
        """Read runs with all that they logged."""
        ids = [row["run_uuid"] for row in rows]
        params, tags = (self.pairs(table, "run_uuid", ids) for table in ("params", "tags"))
        series = self.series(ids)
        links = self.links(ids)
        found = []
        for row in rows:
            one = row["run_uuid"]

            def read(row: dict[str, Any] = row, one: str = one) -> GivenRun:
                raw = row | {"run_id": row["run_uuid"], "run_name": row.get("name")}
                run = checks.run(raw, params.get(one, {}), tags.get(one, {}))
                run.series = {fit.key(key, "metrics"): points_of(rows) for key, rows in series.get(one, {}).items()}
                self.add_links(run, links.get(one, []))
                return run

            run = self.report.tried("run", one, read)
            found += [run] if run is not None else []
        return found

    def series(self, ids: list[str]) -> dict[str, dict[str, list[Any]]]:
        """Read the points of runs."""
        marks = ", ".join("?" * len(ids))
        is_nan = "is_nan" if "is_nan" in self.known("metrics") else "0"
        sql = f"SELECT run_uuid, key, timestamp, step, value, {is_nan} FROM metrics WHERE run_uuid IN ({marks})"  # noqa: S608
        found: dict[str, dict[str, list[Any]]] = {}
        try:
            for run, key, *point in self.link.cursor().execute(sql, ids):
                found.setdefault(run, {}).setdefault(key, []).append(point)
        except sqlite3.DatabaseError as error:
            raise Invalid(f"the SQLite file can't be read: {error}", "bad_sqlite") from error
        return found

    def links(self, ids: list[str]) -> dict[str, Rows]:
        """Read what runs read and made."""
        found: dict[str, Rows] = {}
        for row in self.where("inputs", "destination_id", ids) + self.where("inputs", "source_id", ids):
            owner = row["destination_id"] if row["destination_type"] in ("RUN", "MODEL_INPUT") else row["source_id"]
            found.setdefault(owner, []).append(row)
            found.setdefault(row["source_id"], []).append(row) if row["source_type"] == "RUN_INPUT" else None
        return found

    def add_links(self, run: GivenRun, links: Rows) -> None:
        """Add what a run read and made."""
        for link in links:
            kinds = (link["source_type"], link["destination_type"])
            if kinds == ("DATASET", "RUN"):
                for row in self.where("datasets", "dataset_uuid", [link["source_id"]]):
                    run.datasets.append(checks.dataset(row_of_dataset(row), self.input_tags(link["input_uuid"])))
            elif kinds == ("RUN_INPUT", "MODEL_INPUT"):
                run.models_read.append(checks.identity(link["destination_id"], "destination_id"))
            elif kinds == ("RUN_OUTPUT", "MODEL_OUTPUT"):
                made = checks.identity(link["destination_id"], "destination_id")
                run.models_made[made] = fit.integer(link.get("step") or 0, "step")

    def input_tags(self, identity: str) -> dict[str, str]:
        """Read the notes on a reading."""
        return {row["name"]: row["value"] for row in self.where("input_tags", "input_uuid", [identity])}

    def models(self, experiment: GivenExperiment) -> Iterator[GivenModel]:
        """An experiment's logged models."""
        for row in self.where("logged_models", "experiment_id", [experiment.id]):
            found = self.report.tried("logged model", row["model_id"], lambda row=row: self.model(row))  # type: ignore[misc]
            if found is not None:
                yield found

    def model(self, row: dict[str, Any]) -> GivenModel:
        """Read a logged model."""
        one = row["model_id"]
        notes = [self.pairs(f"logged_model_{kind}", "model_id", [one]).get(one, {}) for kind in ("params", "tags")]
        found = checks.model(row, *notes)
        for figure in self.where("logged_model_metrics", "model_id", [one]):
            found.figures.append(
                GivenFigure(
                    checks.identity(figure["run_id"], "run_id"),
                    fit.key(figure["metric_name"], "metrics"),
                    fit.number(figure["metric_value"], "value"),
                    fit.moment(figure["metric_timestamp_ms"], "timestamp"),
                    fit.integer(figure["metric_step"], "step"),
                    fit.text(figure.get("dataset_name"), 500, "dataset_name"),
                    fit.text(figure.get("dataset_digest"), 36, "dataset_digest"),
                )
            )
        return found

    def traces(self, experiment: GivenExperiment) -> Iterator[TracedRequest]:
        """An experiment's traces."""
        for row in self.where("trace_info", "experiment_id", [experiment.id]):
            found = self.report.tried("trace", row["request_id"], lambda row=row: self.trace(row))  # type: ignore[misc]
            if found is not None:
                yield found

    def trace(self, row: dict[str, Any]) -> TracedRequest:
        """Read a trace; its spans are rows, or a file where there are none."""
        one = row["request_id"]
        raw = row | {"trace_id": one, "request_time": row["timestamp_ms"], "state": row["status"]}
        raw["execution_duration_ms"] = row["execution_time_ms"]
        tags = self.pairs("trace_tags", "request_id", [one]).get(one, {})
        metadata = self.pairs("trace_request_metadata", "request_id", [one]).get(one, {})
        given = [checks.assessment(row_of_assessment(row)) for row in self.where("assessments", "trace_id", [one])]
        links = self.where("entity_associations", "source_id", [one])
        runs = [str(link["destination_id"]) for link in links if link["destination_type"] == "run"]
        spans = self.where("spans", "trace_id", [one])
        place = str(tags.get("mlflow.artifactLocation") or "")
        return TracedRequest(
            checks.trace(raw, metadata, tags, given), runs, place, (lambda: spans_of(spans)) if spans else None
        )

    def registered(self) -> Iterator[GivenRegistered]:
        """All registered models."""
        for row in (
            self.asked("SELECT * FROM registered_models ORDER BY name") if self.known("registered_models") else []
        ):
            found = self.report.tried("registered model", row["name"], lambda row=row: self.artifact(row))  # type: ignore[misc]
            if found is not None:
                yield found

    def artifact(self, row: dict[str, Any]) -> GivenRegistered:
        """Read a registered model with its versions."""
        name = row["name"]
        aliases = {one["alias"]: one["version"] for one in self.where("registered_model_aliases", "name", [name])}
        found = checks.registered(row, self.pairs("registered_model_tags", "name", [name]).get(name, {}), aliases)
        tags: dict[int, dict[str, str]] = {}
        for tag in self.where("model_version_tags", "name", [name]):
            tags.setdefault(tag["version"], {})[tag["key"]] = tag["value"]
        for one in self.where("model_versions", "name", [name]):
            if one["current_stage"] != DELETED_VERSION:
                found.versions.append(checks.version(one, tags.get(one["version"], {})))
        return found

    def files(self, kind: str, identity: str, place: str) -> list[SourceFile]:
        """List the files of something, if a folder of files was named. Raises NotFound for those that lie elsewhere."""
        if not place:
            return []
        tail = places.tail_of(kind, place)
        if self.artifacts is None:
            raise NotFound("its files were not looked for: name their folder by --artifacts")
        return places.listed(self.artifacts, tail)


def points_of(rows: list[Any]) -> Brought:
    """Read points. Raises Invalid."""
    brought = Brought()
    for time, step, value, is_nan in rows:
        read = math.nan if is_nan else fit.number(value, "value")
        brought.add(fit.integer(step, "step"), fit.moment(time, "timestamp"), read)
    return brought


def row_value(row: dict[str, Any]) -> Any:
    """The text of a row of names and texts."""
    return next((row[name] for name in ("value", "param_value", "tag_value") if name in row), None)


def row_of_dataset(row: dict[str, Any]) -> dict[str, Any]:
    """Write a dataset's row in the words of MLflow's answers."""
    named = {part: row.get(f"dataset_{part}") for part in ("source_type", "source", "schema", "profile")}
    return {"name": row["name"], "digest": row["digest"]} | named


def row_of_assessment(row: dict[str, Any]) -> dict[str, Any]:
    """Write an assessment's row in the words of MLflow's answers."""
    said: dict[str, Any] = {"serialized_value": row["value"]}
    if row.get("error"):
        said["error"] = fit.document(row["error"], "error")
    return {
        "assessment_id": row["assessment_id"],
        "assessment_name": row["name"],
        "create_time": row["created_timestamp"],
        "source": {"source_type": row["source_type"], "source_id": row["source_id"]},
        "rationale": row["rationale"],
        "overrides": row["overrides"],
        "span_id": row["span_id"],
        "valid": bool(row["valid"]),
        "metadata": fit.document(row.get("assessment_metadata") or "{}", "metadata"),
        row["assessment_type"]: said,
    }


def spans_of(rows: Rows) -> bytes:
    """Write the file of spans that a client would have uploaded. Raises Invalid."""
    ordered = sorted(rows, key=lambda row: (row["start_time_unix_nano"], row["span_id"]))
    return orjson.dumps({"spans": [fit.document(row["content"], "content") for row in ordered]})
