"""The registry room: a running MLflow server, read by its REST calls.

Source  mlflow 3.17.2, server/handlers.py; the calls of its own pages for what clients read from buckets themselves
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from urllib.parse import quote

from apps.registry.imports import fit
from apps.registry.imports.contents import SourceFile
from apps.registry.imports.mlflow import checks
from apps.registry.imports.mlflow.calls import (
    API,
    API3,
    PAGES,
    Calls,
    Raw,
    listed,
    milliseconds,
    pairs,
    part,
    points_of,
)
from apps.registry.imports.mlflow.given import (
    GivenExperiment,
    GivenFigure,
    GivenModel,
    GivenRegistered,
    GivenRun,
    GivenVersion,
    TracedRequest,
)
from apps.registry.imports.report import Report
from apps.tracking.metrics.digests import Brought
from maestro.errors import Invalid, NotFound, TooLarge

PAGE = 200
HISTORIES, MOST_ROWS = 100, 25_000
MOST_FOLDERS = 10_000
PROMPTS = "tag.`mlflow.prompt.is_prompt` = 'true'"


class Server:
    """A server's content."""

    def __init__(self, calls: Calls, report: Report, *, name: str) -> None:
        self.calls, self.report, self.name = calls, report, name

    def experiments(self) -> Iterator[GivenExperiment]:
        """All experiments."""
        for page in self.calls.pages(
            f"{API}/experiments/search", "experiments", {"max_results": PAGE, "view_type": "ALL"}
        ):
            for raw in page:
                work = partial(checks.experiment, raw, pairs(raw.get("tags")))
                found = self.report.tried("experiment", raw.get("experiment_id"), work)
                if found is not None:
                    yield found

    def runs(self, experiment: GivenExperiment) -> Iterator[list[GivenRun]]:
        """An experiment's runs, some at a time, with their histories."""
        body = {"experiment_ids": [experiment.id], "run_view_type": "ALL", "max_results": PAGE}
        for page in self.calls.pages(f"{API}/runs/search", "runs", body):
            raws = {str(part(raw, "info").get("run_id")): raw for raw in page}
            series = self.histories(raws)
            found = []
            for identity, raw in raws.items():
                run = self.report.tried("run", identity, partial(self.run, raw, series.get(identity, {})))
                found += [run] if run is not None else []
            yield found

    def run(self, raw: Raw, series: dict[str, Brought | Invalid]) -> GivenRun:
        """Read a run."""
        data, inputs = part(raw, "data"), part(raw, "inputs")
        found = checks.run(part(raw, "info"), pairs(data.get("params")), pairs(data.get("tags")))
        for key, brought in series.items():
            if isinstance(brought, Invalid):
                raise brought
            found.series[fit.key(key, "metrics")] = brought
        for link in listed(inputs.get("dataset_inputs")):
            found.datasets.append(checks.dataset(part(link, "dataset"), pairs(link.get("tags"))))
        for link in listed(inputs.get("model_inputs")):
            found.models_read.append(checks.identity(link.get("model_id"), "model_id"))
        for link in listed(part(raw, "outputs").get("model_outputs")):
            made = checks.identity(link.get("model_id"), "model_id")
            found.models_made[made] = fit.integer(link.get("step") or 0, "step")
        return found

    def histories(self, raws: dict[str, Raw]) -> dict[str, dict[str, Brought | Invalid]]:
        """Read the histories of a page of runs: of each metric, many runs at once."""
        owners: dict[str, list[str]] = {}
        for identity, raw in raws.items():
            for metric in listed(part(raw, "data").get("metrics")):
                owners.setdefault(str(metric.get("key")), []).append(identity)
        found: dict[str, dict[str, Brought | Invalid]] = {identity: {} for identity in raws}
        for key, ids in owners.items():
            for start in range(0, len(ids), HISTORIES):
                some = ids[start : start + HISTORIES]
                rows = self.bulk(key, some)
                grouped: dict[str, list[Raw]] = {identity: [] for identity in some}
                for row in rows or []:
                    grouped.setdefault(str(row.get("run_id")), []).append(row)
                for identity in some:
                    of_run = grouped[identity] if rows is not None else self.history(key, identity)
                    found[identity][key] = points_of(of_run)
        return found

    def bulk(self, key: str, ids: Sequence[str]) -> list[Raw] | None:
        """Ask for one metric of many runs; None where the answer may be cut, or the server has no such call."""
        try:
            rows = listed(
                self.calls.ask(f"{PAGES}/metrics/get-history-bulk", run_id=ids, metric_key=key).get("metrics")
            )
        except (NotFound, Invalid):
            return None
        return rows if len(rows) < MOST_ROWS else None

    def history(self, key: str, identity: str) -> list[Raw]:
        """Ask for one metric of one run."""
        asked = {"run_id": identity, "metric_key": key, "max_results": MOST_ROWS}
        pages = self.calls.pages(f"{API}/metrics/get-history", "metrics", asked, gets=True)
        return [row for page in pages for row in page]

    def models(self, experiment: GivenExperiment) -> Iterator[GivenModel]:
        """An experiment's logged models; none of a server that is older than those."""
        body = {"experiment_ids": [experiment.id], "max_results": 50}
        for raw in self.rows_if_known(f"{API}/logged-models/search", "models", body):
            info = part(raw, "info")
            found = self.report.tried("logged model", info.get("model_id"), partial(self.model, raw))
            if found is not None:
                yield found

    def model(self, raw: Raw) -> GivenModel:
        """Read a logged model."""
        info, data = part(raw, "info"), part(raw, "data")
        found = checks.model(info, pairs(data.get("params")), pairs(info.get("tags")))
        for metric in listed(data.get("metrics")):
            run_id = metric.get("run_id") or info.get("source_run_id")
            value, time = fit.number(metric.get("value"), "value"), fit.moment(metric.get("timestamp"), "timestamp")
            dataset = [fit.text(metric.get(f"dataset_{name}"), 500, "dataset") for name in ("name", "digest")]
            step = fit.integer(metric.get("step") or 0, "step")
            found.figures.append(
                GivenFigure(
                    checks.identity(run_id, "run_id"),
                    fit.key(metric.get("key"), "metrics"),
                    value,
                    time,
                    step,
                    *dataset,
                )
            )
        return found

    def rows_if_known(self, path: str, name: str, body: Raw) -> Iterator[Raw]:
        """Read all rows of a list; none where the server has no such call."""
        try:
            for page in self.calls.pages(path, name, body):
                yield from page
        except NotFound:
            return

    def traces(self, experiment: GivenExperiment) -> Iterator[TracedRequest]:
        """An experiment's traces; none of a server that is older than those."""
        place = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment.id}}
        for raw in self.rows_if_known(f"{API3}/traces/search", "traces", {"locations": [place], "max_results": 100}):
            found = self.report.tried("trace", raw.get("trace_id"), partial(self.trace, raw))
            if found is not None:
                yield found

    def trace(self, raw: Raw) -> TracedRequest:
        """Read a trace; the server writes its spans as a file, wherever it has them."""
        given = [checks.assessment(one) for one in listed(raw.get("assessments"))]
        said = raw | {"execution_duration_ms": milliseconds(raw.get("execution_duration"))}
        found = checks.trace(said, raw.get("trace_metadata") or {}, raw.get("tags") or {}, given)
        return TracedRequest(
            found, spans=lambda: b"".join(self.bytes_of(f"{PAGES}/get-trace-artifact", request_id=found.trace_id))
        )

    def registered(self) -> Iterator[GivenRegistered]:
        """All registered models, and prompts, which are some to MLflow."""
        for more in ({}, {"filter": PROMPTS}):
            asked = {"max_results": PAGE} | more
            for page in self.calls.pages(f"{API}/registered-models/search", "registered_models", asked, gets=True):
                for raw in page:
                    found = self.report.tried("registered model", raw.get("name"), partial(self.artifact, raw))
                    if found is not None:
                        yield found

    def artifact(self, raw: Raw) -> GivenRegistered:
        """Read a registered model with its versions."""
        aliases = {str(one.get("alias")): one.get("version") for one in listed(raw.get("aliases"))}
        found = checks.registered(raw, pairs(raw.get("tags")), aliases)
        name = found.name.replace("'", "\\'")
        for more in ("", f" AND {PROMPTS}"):
            asked = {"filter": f"name = '{name}'{more}", "max_results": PAGE}
            for page in self.calls.pages(f"{API}/model-versions/search", "model_versions", asked, gets=True):
                found.versions += [self.version(one) for one in page]
            if found.versions:
                break
        found.versions.sort(key=lambda one: one.number)
        return found

    def version(self, raw: Raw) -> GivenVersion:
        """Read a version, with the place that its source stands for."""
        asked = {"name": raw.get("name"), "version": raw.get("version")}
        try:
            place = self.calls.ask(f"{API}/model-versions/get-download-uri", **asked).get("artifact_uri")
        except (NotFound, Invalid):
            place = ""
        return checks.version(raw | {"storage_location": place}, pairs(raw.get("tags")))

    def files(self, kind: str, identity: str, place: str) -> list[SourceFile]:
        """List the files of a run or a logged model, folder by folder."""
        if kind == "trace":
            return []
        found: list[SourceFile] = []
        waiting = [""]
        for _ in range(MOST_FOLDERS):
            if not waiting:
                return found
            for entry in self.entries(kind, identity, waiting.pop()):
                path = fit.text(entry.get("path"), 4_096, "path")
                if entry.get("is_dir"):
                    waiting.append(path)
                else:
                    size = fit.integer(entry.get("file_size") or 0, "file_size", least=0)
                    found.append(SourceFile(path, size, self.way_to(kind, identity, path)))
        raise TooLarge(f"it has more than {MOST_FOLDERS} folders of files", "too_many_folders")

    def entries(self, kind: str, identity: str, folder: str) -> list[Raw]:
        """List one folder."""
        if kind == "model":
            asked = {"artifact_directory_path": folder} if folder else {}
            return listed(
                self.calls.ask(f"{API}/logged-models/{quote(identity)}/artifacts/directories", **asked).get("files")
            )
        asked = {"run_id": identity} | ({"path": folder} if folder else {})
        return listed(self.calls.ask(f"{API}/artifacts/list", **asked).get("files"))

    def way_to(self, kind: str, identity: str, path: str) -> Callable[[], Iterator[bytes]]:
        """A way to a file's bytes, which the server reads for us wherever they lie."""
        if kind == "model":
            call = f"{PAGES}/logged-models/{quote(identity)}/artifacts/files"
            return partial(self.bytes_of, call, artifact_file_path=path)
        return partial(self.bytes_of, "/get-artifact", run_uuid=identity, path=path)

    def bytes_of(self, call: str, /, **query: str) -> Iterator[bytes]:
        """Read a file. Raises NotFound, Unavailable."""
        with self.calls.opened(call, None, query) as answer:
            yield from answer.pieces()
