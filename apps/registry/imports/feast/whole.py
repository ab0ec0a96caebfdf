"""The registry room: a Feast registry brought in: an artifact a view and a service, a version for each state of them."""

import hashlib
from collections.abc import Iterable
from functools import partial
from typing import Any

import orjson
from django.db import transaction

from apps.registry import versions
from apps.registry.contents import NewFile
from apps.registry.imports import named
from apps.registry.imports.feast.dump import Dump, Service, Spec, View, changes, columns
from apps.registry.imports.named import Given, Origin
from apps.registry.imports.report import Report
from apps.registry.models import Artifact, ArtifactVersion, Edge
from apps.registry.versions import NewVersion
from apps.tracking.files import blobs
from maestro import limits

VIEW_TAG, SERVICE_TAG, CHANGES_TAG = "feast.view", "feast.service", "feast.changes"
VIEW_FILE, SERVICE_FILE = "feature_view.json", "feature_service.json"


class Whole:
    """One import of one registry."""

    def __init__(self, dump: Dump, report: Report, origin: Origin) -> None:
        self.dump, self.report, self.origin = dump, report, origin

    def bring(self) -> None:
        """Bring views and services, draw which service reads which view, and name what has no place here."""
        made: dict[str, ArtifactVersion] = {}
        used: set[str] = set()
        views = list(self.dump.views())
        for view in views:
            version = self.report.tried(view.kind, view.name, partial(self.bring_view, view))
            if version is not None:
                made[view.name] = version
                used |= {str(spec["name"]) for spec in [*view.entities, *view.sources]}
        for view in views:
            if view.name in made:
                self.draw(view.reads, view.name, made, made[view.name], "feast:view")
        for service in self.dump.services():
            self.report.tried("feature service", service.name, partial(self.bring_service, service, made))
        self.name_the_rest(used)

    def foresee(self) -> None:
        """Count what would come."""
        for kind, things in (("feature view", self.dump.views()), ("feature service", self.dump.services())):
            for one in things:
                given = given_of(one, self.dump.project)
                artifact = named.find(given, self.origin)
                digest = versions.digest_of((path, sha256_of(text)) for path, text in files_of(one))
                is_here = artifact is not None and artifact.versions.filter(digest=digest).exists()
                tally = self.report.tally(kind)
                tally.source, tally.here, tally.new = tally.source + 1, tally.here + is_here, tally.new + (not is_here)

    def name_the_rest(self, used: set[str]) -> None:
        """Name what the registry has and that has no place here."""
        for kind, specs in (("entity", self.dump.entities), ("data source", self.dump.sources)):
            for name in specs.keys() - used:
                self.report.leave(kind, name, "no view names it")
        for part, name in self.dump.rest():
            self.report.leave(part, name, "there is no place for it here")

    def bring_view(self, view: View) -> ArtifactVersion:
        """Bring a view as it is now; one that did not change is the version that is here."""
        artifact = named.find_or_make(given_of(view, self.dump.project), self.origin)
        before = latest_columns(artifact)
        said = changes(before, view.fields) if before is not None else []
        tags = {"feast.kind": view.kind, "feast.applied": view.applied, CHANGES_TAG: "; ".join(said)}
        version = self.make(artifact, files_of(view), tags, "; ".join(said))
        self.compare("feature view", view.name, files_of(view), version)
        return version

    def bring_service(self, service: Service, made: dict[str, ArtifactVersion]) -> None:
        """Bring a service, and draw an edge to it from each view that it reads."""
        artifact = named.find_or_make(given_of(service, self.dump.project), self.origin)
        version = self.make(artifact, files_of(service), {}, "")
        self.compare("feature service", service.name, files_of(service), version)
        self.draw(service.views, service.name, made, version, "feast:service")

    def draw(
        self, names: list[str], reader: str, made: dict[str, ArtifactVersion], version: ArtifactVersion, kind: str
    ) -> None:
        """Draw an edge from each view that something reads."""
        tally = self.report.tally("edge")
        for name in dict.fromkeys(names):
            tally.source += 1
            if name not in made:
                self.report.leave("edge", f"{name} to {reader}", "the dump has no such view")
                continue
            _, is_new = Edge.objects.get_or_create(from_version=made[name], to_version=version, kind=kind)
            tally.here, tally.new = tally.here + 1, tally.new + is_new

    def make(
        self, artifact: Artifact, files: list[tuple[str, str]], tags: dict[str, str], said: str
    ) -> ArtifactVersion:
        """Make the version that these files are, or find it."""
        kept = {key: value for key, value in tags.items() if value and len(value) <= limits.REGISTRY_TAG_VALUE_CHARS}
        new = NewVersion(
            [NewFile(path, text=text) for path, text in files], tags=kept, description=said[: limits.TEXT_CHARS]
        )
        gathered = versions.gather(artifact, new, self.origin.by)
        with transaction.atomic():
            version, is_new = versions.put(gathered, self.origin.by, at_ms=self.origin.now)
        kind = "feature service" if artifact.tags.filter(key=SERVICE_TAG).exists() else "feature view"
        self.report.tally(kind).new += is_new
        return version

    def compare(self, kind: str, name: str, files: list[tuple[str, str]], version: ArtifactVersion) -> None:
        """Compare what the source says with what is here, by digests."""
        wanted = {path: sha256_of(text) for path, text in files}
        here = dict(version.files.values_list("path", "blob_id"))
        self.report.compare(kind, {name: {"files": wanted}}, {name: {"files": here}})


def given_of(one: View | Service, project: str) -> Given:
    """Say what a view or a service is here: its name alone, for its project is the source's."""
    spec = one.spec
    said: dict[str, Any] = {name: text_of(spec, name) for name in ("description", "owner")}
    said["owner"] = said["owner"][:250]
    if isinstance(one, View):
        return Given(VIEW_TAG, f"{project}/{one.name}", one.name, Artifact.Kind.FEATURE_PIPELINE, **said)
    return Given(SERVICE_TAG, f"{project}/{one.name}", one.name, Artifact.Kind.SCHEMA, **said)


def text_of(spec: Spec, name: str) -> str:
    """Read a text of a spec that may be left out."""
    value = spec.get(name)
    return value[: limits.TEXT_CHARS] if isinstance(value, str) else ""


def files_of(one: View | Service) -> list[tuple[str, str]]:
    """Write a view or a service as files, the same for the same."""
    if isinstance(one, Service):
        return [(SERVICE_FILE, written(one.spec))]
    parts: Iterable[tuple[str, Any]] = (("entities.json", one.entities), ("sources.json", one.sources))
    return [(VIEW_FILE, written(one.spec)), *((path, written(specs)) for path, specs in parts if specs)]


def written(value: Any) -> str:
    """Write JSON, the same for the same."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def latest_columns(artifact: Artifact) -> dict[str, str] | None:
    """Read the columns of a view's newest version; None where there is none."""
    version = artifact.versions.order_by("-number").first()
    file = version.files.select_related("blob").filter(path=VIEW_FILE).first() if version else None
    return columns(orjson.loads(b"".join(blobs.read(file.blob)))) if file else None


def sha256_of(text: str) -> str:
    """Digest a text."""
    return hashlib.sha256(text.encode()).hexdigest()
