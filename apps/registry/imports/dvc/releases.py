"""The registry room: versions and stages that GTO's tags give to artifacts of dvc.yaml, at commits of the past."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from django.db import transaction

from apps.registry import aliases, artifacts, notes
from apps.registry.imports.dvc import gto
from apps.registry.imports.dvc.gto import Event
from apps.registry.imports.dvc.history import History, Past
from apps.registry.imports.dvc.repository import Item, Named, Repository, Stage
from apps.registry.imports.folder import Folder
from apps.registry.imports.named import Origin
from apps.registry.imports.report import Report
from apps.registry.models import Alias, AliasMove, ArtifactVersion
from maestro.clock import from_ms
from maestro.errors import Invalid, NotFound

VERSION_TAG = "gto.version"
Bring = Callable[[Item, Stage, Named | None], ArtifactVersion]


class Releases:
    """The tags of one repository, as far as GTO made them."""

    def __init__(self, folder: Folder, report: Report) -> None:
        self.report = report
        self.history = report.tried("git", ".git", lambda: History(folder)) if (folder.root / ".git").is_dir() else None
        found = report.tried("git", "tags", self.history.tags) if self.history else None
        self.points = {tag: sha for tag, sha in (found or {}).items() if gto.read(tag) is not None}
        self.commits: dict[str, Past] = {}
        self.read: dict[str, tuple[list[Stage], dict[str, Named]]] = {}

    def foresee(self) -> None:
        """Count the tags."""
        self.report.tally("git tag").source += len(self.points)

    def bring(self, output: Bring, origin: Origin) -> None:
        """Bring what tags registered, oldest first, then the stages. Each tag that comes to nothing is named."""
        events = [event for tag in self.points if (event := self.event(tag)) is not None]
        registered, stages = gto.standing(events)
        for event in sorted(registered, key=lambda event: (self.commits[self.points[event.tag]].made, event.at)):
            self.count(event, self.report.tried("git tag", event.tag, partial(self.register, event, output, origin)))
        for event in stages.values():
            self.count(event, self.report.tried("git tag", event.tag, partial(self.assign, event, output, origin)))
        counted = {event.tag for event in [*registered, *stages.values()]}
        for event in events:
            if event.tag not in counted:
                self.report.leave("git tag", event.tag, "a later tag took its place, or took it back")

    def count(self, event: Event, is_new: bool | None) -> None:
        """Count a tag that stands."""
        tally = self.report.tally("git tag")
        tally.source += 1
        tally.here += is_new is not None
        tally.new += bool(is_new)

    def event(self, tag: str) -> Event | None:
        """Read a tag, and find its commit; one that can't be read is named."""
        sha, event = self.points[tag], gto.read(tag)
        if sha not in self.commits and self.history is not None:
            found = self.report.tried("git tag", tag, partial(self.history.commit, sha))
            if found is None:
                return None
            self.commits[sha] = found
        return replace(event, at=self.commits[sha].tagged) if event else None

    def version(self, event: Event, output: Bring) -> ArtifactVersion:
        """Bring what an artifact was at the commit of a tag. Raises NotFound, Invalid, TooLarge."""
        past = self.commits[self.points[event.tag]]
        if past.sha not in self.read:
            repository = Repository(past, self.report)
            self.read[past.sha] = (list(repository.stages()), repository.named())
        stages, named = self.read[past.sha]
        one = next((one for one in named.values() if event.name in (one.name, f"{one.folder}:{one.name}")), None)
        if one is None:
            raise NotFound(f"no dvc.yaml names {event.name} at {past.sha[:12]}")
        for stage in stages:
            for item in stage.outs:
                if item.path == one.path:
                    return output(item, stage, one)
        raise NotFound(f"{one.path} is no output of DVC at {past.sha[:12]}")

    def register(self, event: Event, output: Bring, origin: Origin) -> bool:
        """Bring a version and note what it is called. Says whether that is new."""
        version = self.version(event, output)
        said = version.tags.filter(key=VERSION_TAG).values_list("value", flat=True).first()
        names = said.split(", ") if said else []
        if event.what in names:
            return False
        with transaction.atomic():
            notes.put(version, {VERSION_TAG: ", ".join([*names, event.what])})
        return True

    def assign(self, event: Event, output: Bring, origin: Origin) -> bool:
        """Let the alias that is called as a stage point where it did. What was moved here since stays. Says whether it is new."""
        version = self.version(event, output)
        with transaction.atomic():
            version.artifact = artifacts.hold(version.artifact, origin.by)
            old = Alias.objects.filter(artifact=version.artifact, name=event.what).first()
            if old is not None and old.version_id == version.pk:
                return False
            moves = AliasMove.objects.filter(artifact_id=version.artifact_id, name=event.what)
            if old is not None and moves.latest("id").moved_by != origin.by.name:
                raise Invalid(f"the alias {event.what} was moved here since, and stays", "moved_here")
            at, why = from_ms(origin.now), f"the tag {event.tag}"
            _, is_guarded = aliases.admit(version, event.what, origin.by, at=at, why=why)
        if is_guarded:
            self.report.admit(f"{version.artifact.name}@{event.what}")
        return True
