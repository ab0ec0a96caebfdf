"""The registry room: two versions beside each other: files by digest, metrics of their runs, notes, words and cards."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from apps.registry import prompts
from apps.registry.contents import files_of
from apps.registry.models import ArtifactVersion
from apps.tracking.files import blobs
from apps.tracking.models import Blob, LatestMetric
from apps.tracking.scoping import runs_for
from maestro import limits
from maestro.principals import Principal

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
CARDS = ("readme.md", "card.md", "modelcard.md", "model_card.md")
MOST_CARDS, CARD_BYTES, MOST_METRICS = 8, 100_000, 2_000  # a name may be written in any case, so there may be many


class Bytes(NamedTuple):
    """The content of a file: its digest and its length."""

    sha256: str
    size_bytes: int


@dataclass(frozen=True)
class FileChange:
    """A file that one of the two has alone, or that says something else in each."""

    path: str
    kind: str
    before: Bytes | None
    after: Bytes | None


@dataclass(frozen=True)
class Difference:
    """Something that is said of one alone, or of both and not the same."""

    name: str
    before: Any
    after: Any

    @property
    def change(self) -> float | None:
        """By how much a number rose."""
        both = isinstance(self.before, float) and isinstance(self.after, float)
        return self.after - self.before if both else None


@dataclass(frozen=True)
class Words:
    """A text as it was and as it is."""

    name: str
    before: str
    after: str


@dataclass(frozen=True)
class Comparison:
    """Where two versions differ, and how many of their files, notes and metrics are the same. `is_cut`: of many files the first."""

    files: list[FileChange]
    same_files: int
    is_cut: bool
    facts: list[Difference]
    tags: list[Difference]
    metrics: list[Difference]
    same_metrics: int
    words: list[Words]


def compare(before: ArtifactVersion, after: ArtifactVersion, who: Principal) -> Comparison:
    """Compare two versions as far as somebody sees: the metrics are those of runs within their reach."""
    old, new = contents_of(before), contents_of(after)
    files = [change for path in sorted({*old, *new}) if (change := change_of(path, old.get(path), new.get(path)))]
    measured = metrics_of(before, after, who)
    changed = differences(*measured)
    return Comparison(
        files=files,
        same_files=len({*old, *new}) - len(files),
        is_cut=limits.ARCHIVE_FILES in (len(old), len(new)),
        facts=differences(facts_of(before), facts_of(after)),
        tags=differences(notes_of(before), notes_of(after)),
        metrics=sorted(changed, key=lambda pair: pair.change is None),
        same_metrics=len({*measured[0], *measured[1]}) - len(changed),
        words=[one for one in words_of(before, after, files) if one.before != one.after],
    )


def contents_of(version: ArtifactVersion) -> dict[str, Bytes]:
    """A version's files by path: of very many the first."""
    rows = files_of(version).order_by("path").values_list("path", "blob_id", "blob__size_bytes")
    return {path: Bytes(sha256, size) for path, sha256, size in rows[: limits.ARCHIVE_FILES]}


def change_of(path: str, before: Bytes | None, after: Bytes | None) -> FileChange | None:
    """Say what became of a file; None if it is the same."""
    if before is None or after is None:
        return FileChange(path, ADDED if before is None else REMOVED, before, after)
    return None if before == after else FileChange(path, CHANGED, before, after)


def facts_of(version: ArtifactVersion) -> dict[str, str]:
    """What the columns say of a version."""
    names = ("digest", "state", "stage", "source", "run_hex", "created_by")
    return {name.replace("_hex", "").replace("_", " "): getattr(version, name) for name in names}


def notes_of(version: ArtifactVersion) -> dict[str, str]:
    """A version's notes, without those that hold a prompt's template."""
    return dict(version.tags.exclude(key__in=prompts.KEPT).values_list("key", "value"))


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Difference]:
    """What is said in one alone, or is not the same in both."""
    names = sorted({*before, *after})
    pairs = [Difference(name, before.get(name), after.get(name)) for name in names]
    return [pair for pair in pairs if pair.before != pair.after]


def metrics_of(
    before: ArtifactVersion, after: ArtifactVersion, who: Principal
) -> tuple[dict[str, float], dict[str, float]]:
    """The latest values of the metrics of the runs that made the two."""
    values: dict[Any, dict[str, float]] = {before.run_id: {}, after.run_id: {}}
    runs = runs_for(who).filter(pk__in=[pk for pk in values if pk]).values("pk")
    rows = LatestMetric.objects.filter(run__in=runs).order_by("key__name").values_list("run_id", "key__name", "value")
    for run, name, value in rows[: 2 * MOST_METRICS]:
        values[run][name] = value
    return values[before.run_id], values[after.run_id]


def words_of(before: ArtifactVersion, after: ArtifactVersion, files: list[FileChange]) -> Iterator[Words]:
    """The descriptions, and the cards among the files that changed."""
    yield Words("Description", before.description, after.description)
    cards = [one for one in files if one.path.lower() in CARDS][:MOST_CARDS]
    wanted = {part.sha256 for one in cards for part in (one.before, one.after) if part}
    known = Blob.objects.in_bulk(wanted)
    for one in cards:
        yield Words(one.path, *(text_of(known, part) for part in (one.before, one.after)))


def text_of(known: Mapping[str, Blob], part: Bytes | None) -> str:
    """The beginning of a card's text."""
    if part is None or part.sha256 not in known:
        return ""
    blob = known[part.sha256]
    return b"".join(blobs.read(blob, 0, min(blob.size_bytes, CARD_BYTES))).decode(errors="replace")
