"""The registry room: record that a project, or a run of it, used a version of an artifact, or downloaded one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import transaction

from apps.registry.actions import Act
from apps.registry.models import Artifact, ArtifactVersion, Edge, Usage
from apps.registry.models.versions import NUMBER
from apps.registry.scoping import artifacts_for, run_named
from apps.tenants.access.audit.recording import record
from apps.tracking.models import Project, Run
from maestro.errors import Fault, Forbidden, Invalid, NotFound
from maestro.principals import Actor, Principal

RUN_HEADER: Final = "X-Maestro-Run"
SAID = (Usage.Observed.API, Usage.Observed.IMPORT)


@dataclass(frozen=True)
class Mention:
    """A usage in words: an artifact's name, and a number, a digest, an alias or nothing for the newest."""

    artifact: str
    version: str = ""
    role: str = ""


@dataclass(frozen=True)
class NewUsage:
    """A usage to be recorded."""

    mention: Mention
    run: Run | None = None
    observed: str = Usage.Observed.API
    at: datetime | None = None


@dataclass
class Outcome:
    """What became of a list of usages."""

    added: int = 0
    kept: int = 0
    removed: int = 0


def read_mention(text: str) -> Mention:
    """Read `artifact@version`, `artifact@alias` or `artifact`. Raises Invalid."""
    found = None if "," in text else mention_in(text)
    if found is None:
        raise Invalid(f"write artifact@version, not {text[:100]!r}", "bad_mention")
    return found


def read_mentions(text: str) -> list[Mention]:
    """Read a tag's value: mentions between commas. Those that can't be read are left out."""
    return [found for part in text.split(",") if (found := mention_in(part))]


def mention_in(text: str) -> Mention | None:
    """Read a mention; None for what is none. A version holds no @, an artifact that was named before names were checked may."""
    name, at, version = (part.strip() for part in text.rpartition("@"))
    if not at:
        name, version = version, ""
    return None if not name or (at and not version) or len(version.split()) > 1 else Mention(name, version)


def find_version(mention: Mention, artifacts: dict[str, Artifact]) -> ArtifactVersion:
    """Find the version that a mention means, among artifacts by name. Raises NotFound."""
    artifact = artifacts.get(mention.artifact)
    if artifact is None:
        raise NotFound(f"there is no artifact {mention.artifact[:100]!r}")
    if not mention.version:
        return ArtifactVersion.objects.newest(artifact)
    return ArtifactVersion.objects.fetch(artifact, mention.version)


def note(version: ArtifactVersion, project: Project, new: NewUsage, at: datetime) -> bool:
    """Write one usage and its edge, once. Says whether it is new. A run's usage needs a run of the project."""
    _, made = Usage.objects.get_or_create(
        version=version,
        project=project,
        run=new.run,
        defaults={"role": new.mention.role, "observed": new.observed, "at": new.at or at},
    )
    if made and new.run is not None:
        Edge.objects.get_or_create(from_version=version, to_run=new.run, kind="used")
    return made


def say(project: Project, news: list[NewUsage], by: Actor, *, at: datetime, replace: bool = False) -> Outcome:
    """Note what a project uses, all or none. With `replace`, what was said before and is not said now goes.

    Raises Invalid naming the entry that is wrong.
    """
    known = {one.name: one for one in artifacts_for(by.who).filter(name__in={new.mention.artifact for new in news})}
    versions = numbered(news, known)
    with transaction.atomic():
        for index, new in enumerate(news):
            said = (new.mention.artifact, new.mention.version)
            versions[said] = checked(index, project, new, known, versions.get(said))
        wanted = {(versions[n.mention.artifact, n.mention.version].pk, n.run.pk if n.run else None): n for n in news}
        outcome = note_many(project, wanted, at)
        kept = set(wanted)
        if replace:
            outcome.removed = forget_others(project, kept)
        if outcome.added or outcome.removed:
            after = {"added": outcome.added, "removed": outcome.removed}
            record(by, Act.PROJECT_USAGES, subject=project, after=after)
    return outcome


def numbered(news: list[NewUsage], artifacts: dict[str, Artifact]) -> dict[tuple[str, str], ArtifactVersion]:
    """Fetch at once the versions that mentions give by number, by artifact and number."""
    numbers = {int(new.mention.version) for new in news if NUMBER.fullmatch(new.mention.version)}
    names = {artifact.pk: name for name, artifact in artifacts.items()}
    rows = ArtifactVersion.objects.filter(artifact__in=names, number__in=numbers)
    return {(names[row.artifact_id], str(row.number)): row for row in rows}


def note_many(project: Project, wanted: dict[tuple[Any, Any], NewUsage], at: datetime) -> Outcome:
    """Write usages and their edges by version and run, in four queries however many. Those that are there stay."""
    there = set(Usage.objects.filter(project=project).values_list("version_id", "run_id"))
    missing = [(version, run, new) for (version, run), new in wanted.items() if (version, run) not in there]
    Usage.objects.bulk_create(
        [
            Usage(
                version_id=version,
                project=project,
                run_id=run,
                role=new.mention.role,
                observed=new.observed,
                at=new.at or at,
            )
            for version, run, new in missing
        ],
        ignore_conflicts=True,
    )
    edges = [Edge(from_version_id=version, to_run_id=run, kind="used") for version, run, _ in missing if run]
    Edge.objects.bulk_create(edges, ignore_conflicts=True)
    return Outcome(added=len(missing), kept=len(wanted) - len(missing))


def checked(
    index: int, project: Project, new: NewUsage, artifacts: dict[str, Artifact], found: ArtifactVersion | None = None
) -> ArtifactVersion:
    """Find an entry's version, unless an earlier entry found it. Raises Invalid naming the entry."""
    try:
        if new.run is not None and new.run.experiment.project_id != project.pk:
            raise NotFound("this run is of another project")
        return found or find_version(new.mention, artifacts)
    except NotFound as error:
        fault = Fault(f"/usages/{index}", error.code, error.detail)
        raise Invalid(f"usages[{index}]: {error.detail}", error.code, faults=[fault]) from error


def forget_others(project: Project, kept: set[tuple[Any, Any]]) -> int:
    """Delete the project's said usages that were not said again. What was observed stays."""
    said = Usage.objects.filter(project=project, observed__in=SAID)
    gone = [usage.pk for usage in said if (usage.version_id, usage.run_id) not in kept]
    return Usage.objects.filter(pk__in=gone).delete()[0]


def note_download(principal: Principal, version: ArtifactVersion, run_id: str | None, at: datetime) -> None:
    """Record that the run named in the header uses a version. Raises Invalid for an unknown run, or Forbidden."""
    run = run_named(principal, run_id)
    if run is None:
        return
    if not principal.has_role("contributor", run.experiment.project_id):
        raise Forbidden(f"{RUN_HEADER} records a use, which needs the role contributor")
    note(version, run.experiment.project, NewUsage(Mention(version.artifact.name), run, Usage.Observed.DOWNLOAD), at)
