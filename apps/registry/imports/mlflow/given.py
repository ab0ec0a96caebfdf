"""The registry room: what an MLflow store holds, in one shape whichever way it was read. Nothing here is believed yet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

from apps.registry.imports.contents import SourceFile
from apps.tracking.metrics.digests import Brought
from apps.tracking.runs.inputs import GivenDataset
from apps.tracking.traces.recording import GivenTrace


@dataclass
class GivenExperiment:
    """An experiment of the source."""

    id: str
    name: str
    created_ms: int
    updated_ms: int
    is_deleted: bool = False
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class GivenRun:
    """A run of the source; `place` is where its files are, in the source's words."""

    id: str
    name: str
    user: str
    status: str
    start_ms: int
    end_ms: int | None
    is_deleted: bool
    place: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    series: dict[str, Brought] = field(default_factory=dict)
    datasets: list[GivenDataset] = field(default_factory=list)
    models_read: list[str] = field(default_factory=list)
    models_made: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class GivenFigure:
    """A metric that was measured of a logged model."""

    run_id: str
    key: str
    value: float
    time_ms: int
    step: int
    dataset_name: str = ""
    dataset_digest: str = ""


@dataclass
class GivenModel:
    """A logged model of the source."""

    id: str
    name: str
    model_type: str
    status: str
    run_id: str
    created_ms: int
    updated_ms: int
    is_deleted: bool = False
    place: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    figures: list[GivenFigure] = field(default_factory=list)


@dataclass
class GivenVersion:
    """A version of a registered model of the source."""

    number: int
    created_ms: int
    updated_ms: int
    description: str = ""
    stage: str = "None"
    source: str = ""
    place: str = ""
    run_id: str = ""
    run_link: str = ""
    model_id: str = ""
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class GivenRegistered:
    """A registered model of the source."""

    name: str
    created_ms: int
    updated_ms: int
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, int] = field(default_factory=dict)
    versions: list[GivenVersion] = field(default_factory=list)


@dataclass
class TracedRequest:
    """A trace of the source, the runs that it is linked to, and its spans if they are no file."""

    trace: GivenTrace
    run_ids: list[str] = field(default_factory=list)
    place: str = ""
    spans: Callable[[], bytes] | None = None


class Source(Protocol):
    """Where content is read from."""

    name: str

    def experiments(self) -> Iterator[GivenExperiment]:
        """All experiments, those in the trash as well."""

    def runs(self, experiment: GivenExperiment) -> Iterator[list[GivenRun]]:
        """An experiment's runs with all that they logged, some at a time."""

    def models(self, experiment: GivenExperiment) -> Iterator[GivenModel]:
        """An experiment's logged models."""

    def traces(self, experiment: GivenExperiment) -> Iterator[TracedRequest]:
        """An experiment's traces."""

    def registered(self) -> Iterator[GivenRegistered]:
        """All registered models with their versions."""

    def files(self, kind: str, identity: str, place: str) -> list[SourceFile]:
        """The files of a run, a logged model or a trace (`kind`)."""
