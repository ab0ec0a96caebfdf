"""The registry room: notice which versions runs use, from what the runs say anyway. Repeatable at any time.

A run's tag `maestro.uses = artifact@version|alias[, …]`; an input dataset whose source is `maestro://artifact/version`
or `models:/name/version`; a logged model that a run read. A mention of what is not here yet is looked at again.
Each is resolved as its writer: with the projects that were within their reach when they wrote it (R45), or, where nobody
noted that, with the run's own project. What lies beyond is not here.
"""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel, Observation, Usage, Watermark
from apps.registry.models.logged import MODEL_ID
from apps.registry.usages import Mention, find_version, read_mentions
from apps.tracking.models import Run, RunInput, RunModel
from apps.tracking.models.writers import common
from apps.tracking.writers import NAMING_TAG
from maestro.clock import from_ms
from maestro.errors import NotFound
from maestro.principals import Reach

BATCH = 1_000
# Ids are given before their transactions commit, so a scan looks back this far behind the highest it has seen.
LOOK_BACK = 5_000
MENTIONS_MOST = 100
# models:/name/version or models:/name@alias, as MLflow reads them: before a slash, an @ belongs to the name.
SOURCE = re.compile(r"""(?:maestro://|models:/)(?!m-[0-9a-f]{32})([^/\s"']{1,750})[/@]([^/@\s"'?#]{1,255})""")
# What was read: the text, and as whom; texts of which nobody noted the writer keep the digest that they always had.
DIGEST = (
    "md5(t.value || CASE WHEN w.run_id IS NULL THEN '' WHEN w.sees_all THEN E'\\n*' ELSE E'\\n' || w.sees::text END)"
)
TAGS = """tracking_tag t LEFT JOIN registry_observation o ON o.run_id = t.run_id
 LEFT JOIN tracking_tagwriter w ON w.run_id = t.run_id AND w.digest = md5(t.value)"""
NEW = f"(o.run_id IS NULL OR NOT o.is_settled OR o.digest <> {DIGEST})"
CHANGED = f"""SELECT t.run_id, t.value, {DIGEST}, e.project_id, w.sees_all, w.sees
FROM {TAGS} JOIN tracking_run r ON r.id = t.run_id JOIN tracking_experiment e ON e.id = r.experiment_id
WHERE t.key = %s AND t.run_id > %s AND {NEW} ORDER BY t.run_id LIMIT %s"""

DUE = f"""SELECT EXISTS (SELECT FROM {TAGS} WHERE t.key = %s AND {NEW})
 OR EXISTS (SELECT FROM tracking_runinput i WHERE i.id > coalesce(
  (SELECT value FROM registry_watermark WHERE name = 'inputs'), 0))
 OR EXISTS (SELECT FROM tracking_runmodel m WHERE m.direction = 'input' AND m.id > coalesce(
  (SELECT value FROM registry_watermark WHERE name = 'models'), 0))"""


@dataclass
class Seen:
    """What one scan did."""

    runs: int = 0
    usages: int = 0
    unsettled: int = 0


@dataclass(frozen=True)
class Use:
    """A run uses a version."""

    run_id: UUID
    version: ArtifactVersion
    observed: str


@dataclass(frozen=True)
class Said:
    """What a run's tag says, as whose word, and the digest of both."""

    run_id: UUID
    text: str
    digest: str
    reach: Reach

    @property
    def mentions(self) -> list[Mention]:
        """The versions that it names, each once."""
        return list(dict.fromkeys(read_mentions(self.text)))[:MENTIONS_MOST]


def reach_of(row: tuple[bool | None, list[UUID] | None], project: UUID | None) -> Reach:
    """As whom a row is resolved: as its writer, or as the run's project where nobody noted the writer."""
    sees_all, sees = row
    own = [] if project is None else [project]
    return None if sees_all else (sees or own)


class Finder:
    """Finds versions by mention, each once a scan."""

    def __init__(self) -> None:
        self.artifacts: dict[str, Artifact] = {}
        self.known: dict[Mention, ArtifactVersion | None] = {}

    def load(self, mentions: Iterable[Mention]) -> None:
        """Fetch the artifacts of many mentions at once."""
        names = {mention.artifact for mention in mentions} - set(self.artifacts)
        self.artifacts |= {row.name: row for row in Artifact.objects.filter(name__in=names)}

    def find(self, mention: Mention, reach: Reach) -> ArtifactVersion | None:
        """Find a version, or None if it is not here for who reaches these projects."""
        artifact = self.artifacts.get(mention.artifact)
        if artifact is None or not artifact.is_visible_to(reach):
            return None
        if mention not in self.known:
            try:
                self.known[mention] = find_version(mention, self.artifacts)
            except NotFound:
                self.known[mention] = None
        return self.known[mention]


def is_due() -> bool:
    """Say whether there is something that no scan has read. What was committed late, a scan of all finds later."""
    with connection.cursor() as cursor:
        cursor.execute(DUE, [NAMING_TAG])
        return bool(cursor.fetchone()[0])


def observe(at: datetime) -> Seen:
    """Scan the tenant once. Safe to repeat and to run twice at a time."""
    seen, finder = Seen(), Finder()
    observe_tags(seen, finder, at)
    observe_inputs(seen, finder)
    observe_models(seen)
    return seen


def observe_tags(seen: Seen, finder: Finder, at: datetime) -> None:
    """Read new and changed tags, and those that named something missing."""
    last = UUID(int=0)
    while True:
        with connection.cursor() as cursor:
            cursor.execute(CHANGED, [NAMING_TAG, last, BATCH])
            said = [Said(row[0], row[1], row[2], reach_of(row[4:], row[3])) for row in cursor.fetchall()]
        if not said:
            return
        last = said[-1].run_id
        finder.load(mention for one in said for mention in one.mentions)
        uses, missing = [], set()
        for one in said:
            for mention in one.mentions:
                version = finder.find(mention, one.reach)
                if version is None:
                    missing.add(one.run_id)
                else:
                    uses.append(Use(one.run_id, version, Usage.Observed.TAG))
        with transaction.atomic():
            forget_unsaid([one.run_id for one in said], uses)
            seen.usages += write(uses)
            note_observed(said, missing, at)
        seen.runs += len(said)
        seen.unsettled += len(missing)


def forget_unsaid(said: Iterable[UUID], uses: list[Use]) -> None:
    """Delete what a tag said before and does not say now."""
    kept = {(use.run_id, use.version.pk) for use in uses}
    old = Usage.objects.filter(run__in=list(said), observed=Usage.Observed.TAG).values_list(
        "pk", "run_id", "version_id"
    )
    gone = [(pk, run, version) for pk, run, version in old if (run, version) not in kept]
    Usage.objects.filter(pk__in=[pk for pk, _, _ in gone]).delete()
    for _, run_id, version_id in gone:
        Edge.objects.filter(from_version=version_id, to_run=run_id, kind="used").delete()


def note_observed(said: list[Said], missing: set[UUID], at: datetime) -> None:
    """Remember what was read, so that the next scan passes over it."""
    Observation.objects.bulk_create(
        [
            Observation(run_id=one.run_id, digest=one.digest, is_settled=one.run_id not in missing, at=at)
            for one in said
        ],
        update_conflicts=True,
        unique_fields=["run"],
        update_fields=["digest", "is_settled", "at"],
    )


def write(uses: list[Use]) -> int:
    """Write usages and their edges, once each. Returns how many usages are new."""
    runs = {run.pk: run for run in Run.objects.select_related("experiment").filter(pk__in={u.run_id for u in uses})}
    there = [use for use in uses if use.run_id in runs]
    before = Usage.objects.filter(run__in=runs).count()
    Usage.objects.bulk_create(
        [
            Usage(  # type: ignore[misc]
                version=use.version,
                run_id=use.run_id,
                project_id=runs[use.run_id].experiment.project_id,
                observed=use.observed,
                at=from_ms(runs[use.run_id].start_ms),
            )
            for use in there
        ],
        ignore_conflicts=True,
    )
    Edge.objects.bulk_create(
        [Edge(from_version=use.version, to_run_id=use.run_id, kind="used") for use in there], ignore_conflicts=True
    )
    return Usage.objects.filter(run__in=runs).count() - before


def observe_inputs(seen: Seen, finder: Finder) -> None:
    """Read the sources of datasets that runs logged as inputs."""
    mark = Watermark.objects.get_or_create(name="inputs")[0]
    start = mark.value - LOOK_BACK
    known = Q(dataset__source__contains="maestro://") | Q(dataset__source__contains="models:/")
    while True:
        newest = RunInput.objects.filter(pk__gt=start).order_by("pk").values_list("pk", flat=True)[:BATCH]
        ids = list(newest)
        if not ids:
            break
        rows = RunInput.objects.filter(known, pk__in=ids).select_related("dataset", "run__experiment")
        said = [(row, mention) for row in rows for mention in mentions_in(row.dataset.source)]
        finder.load(mention for _, mention in said)
        found = [(row.run_id, finder.find(mention, reach_of_input(row))) for row, mention in said]
        with transaction.atomic():
            seen.usages += write([Use(run_id, v, Usage.Observed.INPUT) for run_id, v in found if v])
        start = ids[-1]
    advance(mark, start)


def reach_of_input(row: RunInput) -> Reach:
    """As whom an input is resolved: as who logged it and as who told the dataset's source, who may be two."""
    project, dataset = row.run.experiment.project_id, row.dataset
    return common(reach_of((one.sees_all, one.sees), project) for one in (row, dataset))


def mentions_in(source: str) -> list[Mention]:
    """Find the versions that a dataset's source names."""
    return [Mention(unquote(name), unquote(version)) for name, version in SOURCE.findall(source)]


def observe_models(seen: Seen) -> None:
    """Read the logged models that runs took as inputs; one that is registered once counts as that version's use."""
    mark = Watermark.objects.get_or_create(name="models")[0]
    start = mark.value - LOOK_BACK
    read = RunModel.objects.filter(direction=RunModel.Direction.INPUT).select_related("run__experiment")
    while rows := list(read.filter(pk__gt=start).order_by("pk")[:BATCH]):
        ids = {UUID(match[1]) for row in rows if (match := MODEL_ID.fullmatch(row.model_id))}
        found = LoggedModel.objects.filter(pk__in=ids).select_related("experiment")
        models = {model.model_id: model for model in found.prefetch_related("versions__artifact")}
        named = [(row, models[row.model_id], reach_of_model(row)) for row in rows if row.model_id in models]
        near = [one for one in named if one[2] is None or one[1].experiment.project_id in one[2]]
        edges = [Edge(from_model=model, to_run_id=row.run_id, kind="used") for row, model, _ in near]
        single = [(row.run_id, versions_within(model, reach)) for row, model, reach in near]
        with transaction.atomic():
            Edge.objects.bulk_create(edges, ignore_conflicts=True)
            seen.usages += write([Use(r, v[0], Usage.Observed.INPUT) for r, v in single if len(v) == 1])
        start = rows[-1].pk
    advance(mark, start)


def reach_of_model(row: RunModel) -> Reach:
    """As whom a model that a run read is resolved."""
    return reach_of((row.sees_all, row.sees), row.run.experiment.project_id)


def versions_within(model: LoggedModel, reach: Reach) -> list[ArtifactVersion]:
    """The versions that a logged model was registered as, of artifacts within a reach."""
    return [version for version in model.versions.all() if version.artifact.is_visible_to(reach)]


def advance(mark: Watermark, value: int) -> None:
    """Move a watermark forwards, never back."""
    Watermark.objects.filter(pk=mark.pk, value__lt=value).update(value=value)
