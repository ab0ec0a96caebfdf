"""The registry room: MLflow's file store: an mlruns folder.

Source  mlflow 3.17.2, store/tracking/file_store.py and store/model_registry/file_store.py
"""

from collections.abc import Iterator
from typing import Any

from apps.registry.imports import fit, plain_yaml
from apps.registry.imports.contents import SourceFile
from apps.registry.imports.folder import Folder
from apps.registry.imports.mlflow import checks, places
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
from maestro.errors import Invalid

TRASH, REGISTRY, META = ".trash", "models", "meta.yaml"
NOT_RUNS = ("tags", "datasets", "models", "traces")
AT_ONCE_RUNS, AT_ONCE_POINTS = 200, 200_000
DELETED_VERSION = "Deleted_Internal"


class FileStore:
    """A folder of experiments and registered models."""

    def __init__(self, folder: Folder, report: Report, *, name: str) -> None:
        self.folder, self.report, self.name = folder, report, name
        self.homes: dict[str, str] = {}

    def experiments(self) -> Iterator[GivenExperiment]:
        """All experiments, in the trash as well."""
        for base, is_deleted in (("", False), (TRASH, True)):
            for name in self.folder.folders(base):
                if name in (TRASH, REGISTRY):
                    continue
                path = f"{base}/{name}" if base else name
                found = self.report.tried("experiment", name, lambda path=path: self.experiment(path))  # type: ignore[misc]
                if found is not None:
                    found.is_deleted = is_deleted or found.is_deleted
                    self.homes[found.id] = path
                    yield found

    def experiment(self, path: str) -> GivenExperiment:
        """Read an experiment's folder."""
        found = checks.experiment(self.meta(path), self.notes(f"{path}/tags"))
        if found.id != path.rpartition("/")[2]:
            raise Invalid(f"{META} speaks of another experiment: {found.id[:60]!r}", "bad_id")
        return found

    def meta(self, path: str) -> dict[str, Any]:
        """Read a folder's meta.yaml. Raises NotFound, Invalid."""
        return plain_yaml.mapping(self.folder.read(f"{path}/{META}"))

    def notes(self, path: str) -> dict[str, str]:
        """Read a folder of small texts: params or tags by their names."""
        return {name: self.folder.text(f"{path}/{name}") for name, _ in self.folder.files(path)}

    def runs(self, experiment: GivenExperiment) -> Iterator[list[GivenRun]]:
        """An experiment's runs."""
        home = self.homes[experiment.id]
        batch: list[GivenRun] = []
        for name in self.folder.folders(home):
            if name in NOT_RUNS:
                continue
            found = self.report.tried("run", name, lambda name=name: self.run(home, name))  # type: ignore[misc]
            if found is not None:
                batch.append(found)
            if len(batch) >= AT_ONCE_RUNS or sum(len(s) for r in batch for s in r.series.values()) >= AT_ONCE_POINTS:
                yield batch
                batch = []
        if batch:
            yield batch

    def run(self, home: str, name: str) -> GivenRun:
        """Read a run's folder. Raises Invalid for any part that is wrong, NotFound for one that is missing."""
        path = f"{home}/{name}"
        found = checks.run(self.meta(path), self.notes(f"{path}/params"), self.notes(f"{path}/tags"))
        if found.id != name:
            raise Invalid(f"{META} speaks of another run: {found.id[:60]!r}", "bad_id")
        for key, _ in self.folder.files(f"{path}/metrics"):
            found.series[fit.key(key, "metrics")] = self.series(f"{path}/metrics/{key}")
        self.add_inputs(found, home, path)
        found.place = f"{path}/artifacts"
        return found

    def series(self, path: str) -> Brought:
        """Read a metric's file: time, value and step a line; the oldest files have no step."""
        brought = Brought()
        for number, line in enumerate(self.folder.text(path, 2**30).splitlines(), 1):
            parts = line.split()
            if len(parts) not in (2, 3):
                raise Invalid(f"line {number} of {path.rpartition('/')[2]!r} is no point", "bad_point")
            step = fit.integer(parts[2], "step") if len(parts) > 2 else 0
            brought.add(step, fit.moment(parts[0], "timestamp"), fit.number(parts[1], "value"))
        return brought

    def add_inputs(self, run: GivenRun, home: str, path: str) -> None:
        """Read what a run read and made."""
        for name in self.folder.folders(f"{path}/inputs"):
            link = self.meta(f"{path}/inputs/{name}")
            source = checks.identity(link.get("source_id"), "source_id")
            if link.get("source_type") == "DATASET":
                run.datasets.append(checks.dataset(self.meta(f"{home}/datasets/{source}"), link.get("tags") or {}))
            else:
                run.models_read.append(source)
        for name in self.folder.folders(f"{path}/outputs"):
            link = self.meta(f"{path}/outputs/{name}")
            made = checks.identity(link.get("destination_id"), "destination_id")
            run.models_made[made] = fit.integer(link.get("step") or 0, "step")

    def models(self, experiment: GivenExperiment) -> Iterator[GivenModel]:
        """An experiment's logged models."""
        home = f"{self.homes[experiment.id]}/models"
        for name in self.folder.folders(home):
            found = self.report.tried("logged model", name, lambda name=name: self.model(f"{home}/{name}"))  # type: ignore[misc]
            if found is not None:
                yield found

    def model(self, path: str) -> GivenModel:
        """Read a logged model's folder."""
        found = checks.model(self.meta(path), self.notes(f"{path}/params"), self.notes(f"{path}/tags"))
        for key, _ in self.folder.files(f"{path}/metrics"):
            for line in self.folder.text(f"{path}/metrics/{key}").splitlines():
                found.figures.append(figure(fit.key(key, "metrics"), line.split()))
        found.place = f"{path}/artifacts"
        return found

    def traces(self, experiment: GivenExperiment) -> Iterator[TracedRequest]:
        """An experiment's traces."""
        home = f"{self.homes[experiment.id]}/traces"
        for name in self.folder.folders(home):
            found = self.report.tried("trace", name, lambda name=name: self.trace(f"{home}/{name}"))  # type: ignore[misc]
            if found is not None:
                yield found

    def trace(self, path: str) -> TracedRequest:
        """Read a trace's folder."""
        raw = plain_yaml.mapping(self.folder.read(f"{path}/trace_info.yaml"))
        names = [name for name, _ in self.folder.files(f"{path}/assessments")]
        said = [plain_yaml.mapping(self.folder.read(f"{path}/assessments/{name}")) for name in names]
        given = [checks.assessment(one) for one in said]
        read = checks.trace(raw, self.notes(f"{path}/request_metadata"), self.notes(f"{path}/tags"), given)
        return TracedRequest(read, place=f"{path}/artifacts")

    def registered(self) -> Iterator[GivenRegistered]:
        """All registered models."""
        for name in self.folder.folders(REGISTRY):
            found = self.report.tried("registered model", name, lambda name=name: self.artifact(name))  # type: ignore[misc]
            if found is not None:
                yield found

    def artifact(self, name: str) -> GivenRegistered:
        """Read a registered model's folder with its versions."""
        path = f"{REGISTRY}/{name}"
        found = checks.registered(self.meta(path), self.notes(f"{path}/tags"), self.notes(f"{path}/aliases"))
        for folder in self.folder.folders(path):
            if folder.startswith("version-"):
                read = self.version(f"{path}/{folder}")
                found.versions += [read] if read is not None else []
        return found

    def version(self, path: str) -> GivenVersion | None:
        """Read a version; None for one that was deleted."""
        raw = self.meta(path)
        return None if raw.get("current_stage") == DELETED_VERSION else checks.version(raw, self.notes(f"{path}/tags"))

    def files(self, kind: str, identity: str, place: str) -> list[SourceFile]:
        """List the files in a folder of artifacts, which lie beside what tells of them."""
        return places.listed(self.folder, place)


def figure(key: str, parts: list[str]) -> GivenFigure:
    """Read a line of a logged model's metric. Raises Invalid."""
    if len(parts) not in (4, 6):
        raise Invalid("a line of a logged model's metric is none", "bad_point")
    time, value, step, run_id, *dataset = parts
    numbers = (fit.number(value, "value"), fit.moment(time, "timestamp"), fit.integer(step, "step"))
    return GivenFigure(checks.identity(run_id, "run_id"), key, *numbers, *dataset)
