"""The registry room: a whole MLflow store brought in, experiment by experiment, so that a second time goes on where one ended."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import UUID

from apps.registry.imports.mlflow import homes, models, registered, runs, traces
from apps.registry.imports.mlflow.given import GivenExperiment, Source
from apps.registry.imports.mlflow.identities import Identities
from apps.registry.imports.report import Report
from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.tracking.models import DEFAULT_PROJECT_ID, Experiment, Run, Trace
from maestro.database.statements import execute
from maestro.errors import Conflict, NotFound
from maestro.principals import Actor

LOCK = "SELECT pg_try_advisory_lock(hashtext(current_schema() || ' maestro.import'))"
UNLOCK = "SELECT pg_advisory_unlock(hashtext(current_schema() || ' maestro.import'))"


@dataclass(frozen=True)
class Wanted:
    """What is to be brought: into which project (None: the default one, and models for all), which experiments (none: all)."""

    project_id: UUID | None = None
    experiments: frozenset[str] = frozenset()


class Whole:
    """One import of one source."""

    def __init__(self, source: Source, wanted: Wanted, report: Report, *, by: Actor, now: int) -> None:
        self.source, self.wanted, self.report, self.by, self.now = source, wanted, report, by, now
        self.identities = Identities(source.name)
        self.tell: Callable[[str], None] = lambda line: None

    def bring(self) -> None:
        """Bring all of it. What is here already is passed over. Raises NotFound, Conflict, Unavailable."""
        with alone():
            chosen = self.chosen()
            project = self.wanted.project_id or DEFAULT_PROJECT_ID
            homes_here = [homes.bring(given, self.identities, project, self.report, by=self.by) for given in chosen]
            for given, home in zip(chosen, homes_here, strict=True):
                self.bring_experiment(given, home)
            for artifact in [] if self.wanted.experiments else self.source.registered():
                self.report.tried(
                    "registered model",
                    artifact.name,
                    lambda artifact=artifact: registered.bring(  # type: ignore[misc]
                        artifact, self.identities, self.wanted.project_id, self.report, by=self.by, now=self.now
                    ),
                )
                self.tell(f"registered model {artifact.name}")

    def chosen(self) -> list[GivenExperiment]:
        """The experiments that are wanted. Raises NotFound for a name that the source does not have."""
        found = list(self.source.experiments())
        missing = self.wanted.experiments - {one.name for one in found}
        if missing:
            raise NotFound(f"the source has no experiment {', '.join(sorted(missing))}")
        return [one for one in found if not self.wanted.experiments or one.name in self.wanted.experiments]

    def bring_experiment(self, given: GivenExperiment, home: Experiment) -> None:
        """Bring an experiment's runs, logged models and traces."""
        count = 0
        for batch in self.source.runs(given):
            runs.bring(batch, home, self.source, self.identities, self.report, by=self.by, now=self.now)
            count += len(batch)
            self.tell(f"{given.name}: {count:,} runs, {self.report.tally('point').source:,} points in all")
        for model in self.source.models(given):
            models.bring(model, home, self.source, self.identities, self.report, by=self.by, now=self.now)
        for trace in self.source.traces(given):
            traces.bring(trace, home, self.source, self.identities, self.report, by=self.by, now=self.now)
            self.tell(f"{given.name}: trace {trace.trace.trace_id}")
        homes.finish(home, self.identities, self.report, given, now=self.now)

    def foresee(self) -> None:
        """Count what would come, and what of it is new. Nothing is written, and no file is read."""
        for given in self.chosen():
            home = self.identities.experiment(given.id)
            self.identities.homes |= {given.id: home.pk} if home else {}
            self.count("experiment", 1, 1 if home else 0)
            for batch in self.source.runs(given):
                ids = self.identities.run_ids([run.id for run in batch])
                self.count("run", len(batch), Run.objects.filter(pk__in=ids.values()).count())
                points = sum(len(points) for run in batch for points in run.series.values())
                self.report.tally("point").source += points
            for model in self.source.models(given):
                found = LoggedModel.objects.filter(pk=self.identities.model_ids([model.id])[model.id])
                self.count(models.KIND, 1, found.count())
            for trace in self.source.traces(given):
                identity = self.identities.trace_id(trace.trace.trace_id)
                self.count("trace", 1, Trace.objects.filter(pk=identity).count())
        for artifact in [] if self.wanted.experiments else self.source.registered():
            here: Artifact | None = registered.known(artifact, self.identities)
            self.count(registered.KIND, 1, 1 if here else 0)
            numbers = [one.number for one in artifact.versions]
            known = ArtifactVersion.everything.filter(artifact=here, number__in=numbers).count() if here else 0
            self.count(registered.VERSION, len(numbers), known)

    def count(self, kind: str, source: int, here: int) -> None:
        """Count things of one kind."""
        tally = self.report.tally(kind)
        tally.source += source
        tally.here += here
        tally.new += source - here


@contextmanager
def alone() -> Iterator[None]:
    """Keep a second import of this tenant away. Raises Conflict while one is under way."""
    if not execute(LOCK)[0][0]:
        raise Conflict("another import into this tenant is under way", "import_under_way")
    try:
        yield
    finally:
        execute(UNLOCK)
