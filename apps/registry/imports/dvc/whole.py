"""The registry room: a DVC repository brought in: an artifact for each output, a version for each content, edges of stages."""

from collections.abc import Iterable
from functools import partial
from itertools import product
from typing import Any

import orjson
from django.db import transaction

from apps.registry import versions
from apps.registry.contents import NewFile
from apps.registry.imports import contents
from apps.registry.imports.dvc.cache import Cache
from apps.registry.imports.dvc.releases import Releases
from apps.registry.imports.dvc.repository import Item, Named, Repository, Stage
from apps.registry.imports.named import SOURCE_TAG, Given, Origin, find_or_make
from apps.registry.imports.report import Report
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Edge, VersionTag
from apps.registry.versions import NewVersion
from apps.tracking.models import DEFAULT_PROJECT_ID, Project
from maestro import limits

PATH_TAG, MD5_TAG, BYTES_TAG = "dvc.path", "dvc.md5", "dvc.bytes"
KINDS = {"model": Artifact.Kind.MODEL, "dataset": Artifact.Kind.DATASET, "notebook": Artifact.Kind.NOTEBOOK}


class Whole:
    """One import of one repository."""

    def __init__(
        self, repository: Repository, cache: Cache, report: Report, *, origin: Origin, releases: Releases
    ) -> None:
        self.repository, self.cache, self.report = repository, cache, report
        self.origin, self.releases = origin, releases

    def bring(self, *, dry_run: bool) -> None:
        """Bring what tags registered in the past, then outputs; draw what was made of what; name what has no place here."""
        stages, named = list(self.repository.stages()), self.repository.named()
        if dry_run:
            for stage in stages:
                for item in stage.outs:
                    self.foresee(item)
            self.releases.foresee()
        else:
            self.releases.bring(self.output, self.origin)
            self.draw(stages, self.outputs(stages, named))
        self.name_the_rest({item.path for stage in stages for item in stage.outs}, named.values())

    def outputs(self, stages: Iterable[Stage], named: dict[str, Named]) -> dict[tuple[str, str], ArtifactVersion]:
        """Bring all outputs."""
        made = {}
        for stage in stages:
            for item in stage.outs:
                work = partial(self.output, item, stage, named.get(item.path))
                version = self.report.tried("output", item.path, work)
                if version is not None:
                    made[item.key] = version
        return made

    def name_the_rest(self, paths: set[str], named: Iterable[Named]) -> None:
        """Name what the repository has and that has no place here."""
        for one in named:
            if one.path not in paths:
                self.report.leave("artifact", one.name, f"{one.path} is no output of DVC here")

    def foresee(self, item: Item) -> None:
        """Count an output."""
        tally = self.report.tally("version")
        here = self.known(item) is not None
        tally.source, tally.here, tally.new = tally.source + 1, tally.here + here, tally.new + (not here)

    def known(self, item: Item) -> ArtifactVersion | None:
        """Find the version that came of this content, with its bytes, before."""
        of_path = ArtifactTag.objects.filter(key=PATH_TAG, value=item.path).values("artifact")
        of_origin = ArtifactTag.objects.filter(key=SOURCE_TAG, value=self.origin.name, artifact__in=of_path).values(
            "artifact"
        )
        same = VersionTag.objects.filter(key=MD5_TAG, value=item.md5).values("version")
        whole = VersionTag.objects.filter(key=BYTES_TAG, value="here", version__in=same).values("version")
        return ArtifactVersion.objects.filter(artifact__in=of_origin, pk__in=whole).select_related("artifact").first()

    def output(self, item: Item, stage: Stage, named: Named | None) -> ArtifactVersion:
        """Bring one output, and compare it with what is here then."""
        version = self.known(item)
        if version is None:
            version = self.make(item, stage, named)
        tags = {tag.key: tag.value for tag in version.tags.all()}
        wanted = {"md5": item.md5, "path": item.path}
        self.report.compare(
            "version",
            {f"{item.path} {item.md5}": wanted},
            {f"{item.path} {item.md5}": {"md5": tags.get(MD5_TAG), "path": item.path}},
        )
        return version

    def make(self, item: Item, stage: Stage, named: Named | None) -> ArtifactVersion:
        """Make a version of an output: of its bytes, or of a pointer where the cache has not all of them."""
        files = self.report.tried("bytes of output", item.path, lambda: self.cache.files(item))
        project = Project.objects.get(pk=self.origin.project_id or DEFAULT_PROJECT_ID)
        brought = contents.bring(files or [], {}, self.report, item.path, project=project)
        is_whole = files is not None and len(brought.blobs) == len(files)
        parts = [NewFile(path, blob.sha256) for path, blob in brought.blobs.items()]
        if not is_whole or not parts:
            parts = [NewFile(f"{item.path.rpartition('/')[2]}.dvc", text=pointer_of(item))]
        told = {
            "dvc.cmd": stage.cmd,
            "dvc.params": dumped(stage.params),
            "dvc.deps": dumped([list(dep.key) for dep in stage.deps]),
        }
        tags = {MD5_TAG: item.md5, BYTES_TAG: "here" if is_whole else "missing", "dvc.stage": stage.name}
        if item.size is not None:
            tags["dvc.size"] = str(item.size)
        tags |= {key: value for key, value in told.items() if value and len(value) <= limits.REGISTRY_TAG_VALUE_CHARS}
        with transaction.atomic():
            artifact = self.artifact(item, named)
            new = NewVersion(parts, tags=tags)
            version, is_new = versions.make(artifact, new, self.origin.by, at_ms=self.origin.now)
        self.report.tally("version").new += is_new
        return version

    def artifact(self, item: Item, named: Named | None) -> Artifact:
        """Find the artifact of a path, or make it. Raises Invalid for a name that is somebody else's."""
        labels = {f"dvc.label.{label}"[: limits.KEY_CHARS]: "" for label in named.labels} if named else {}
        given = Given(
            PATH_TAG,
            item.path,
            (named.name if named else item.path).replace("/", "."),
            KINDS.get(named.kind if named else "", Artifact.Kind.DATASET),
            named.description if named else "",
            tags=labels,
        )
        return find_or_make(given, self.origin)

    def draw(self, stages: Iterable[Stage], made: dict[tuple[str, str], ArtifactVersion]) -> None:
        """Draw an edge from each dependency that is an output itself to each output of its stage."""
        tally = self.report.tally("edge")
        for stage in stages:
            starts, ends = ([made[i.key] for i in some if i.key in made] for some in (stage.deps, stage.outs))
            for start, end in product(starts, ends):
                edge: dict[str, Any] = {"from_version": start, "to_version": end, "kind": f"dvc:{stage.name}"[:40]}
                _, is_new = Edge.objects.get_or_create(**edge)
                tally.source, tally.here, tally.new = tally.source + 1, tally.here + 1, tally.new + is_new


def pointer_of(item: Item) -> str:
    """Write an output as DVC's own pointer file does."""
    size = "" if item.size is None else f"  size: {item.size}\n"
    return f"outs:\n- md5: {item.md5}\n{size}  hash: md5\n  path: {orjson.dumps(item.path).decode()}\n"


def dumped(value: Any) -> str:
    """Write a value as JSON; nothing for nothing."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode() if value else ""
