"""The registry room: what a DVC repository says: dvc.lock, *.dvc and dvc.yaml. Nothing is run.

Source  DVC 3, dvc/schema.py, lock-file schema 2.0
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from apps.registry.imports import fit, plain_yaml
from apps.registry.imports.folder import Folder
from apps.registry.imports.report import Report
from maestro.errors import Invalid

LOCK, PIPELINE, POINTER = "dvc.lock", "dvc.yaml", ".dvc"
MD5 = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
SCHEMA = "2.0"


@dataclass(frozen=True)
class Item:
    """A file or a folder (`.dir`) as DVC knows it."""

    path: str
    md5: str
    size: int | None = None

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others: where it is, and its content."""
        return (self.path, self.md5)


@dataclass
class Stage:
    """A step: what it read and what it made. A *.dvc file is one that read nothing."""

    name: str
    outs: list[Item] = field(default_factory=list)
    deps: list[Item] = field(default_factory=list)
    cmd: str = ""
    params: Any = None


@dataclass(frozen=True)
class Named:
    """An entry of `artifacts:` in dvc.yaml: an output's name, kind and description."""

    name: str
    path: str
    kind: str
    description: str
    labels: tuple[str, ...] = ()
    folder: str = ""


class Tree(Protocol):
    """Where DVC's files lie: in a folder, or in a commit of the past."""

    def paths(self) -> list[str]:
        """The paths of DVC's files."""

    def read(self, path: str) -> bytes:
        """Read one. Raises NotFound, Invalid, TooLarge."""


class WorkTree:
    """A folder with DVC's files in it, or a dvc.lock alone."""

    def __init__(self, folder: Folder) -> None:
        self.folder = folder

    def paths(self) -> list[str]:
        """The paths of DVC's files."""
        return [path for path in self.walk("") if path.rpartition("/")[2] in (LOCK, PIPELINE) or is_pointer(path)]

    def read(self, path: str) -> bytes:
        """Read one. Raises NotFound, Invalid, TooLarge."""
        return self.folder.read(path)

    def walk(self, below: str) -> Iterator[str]:
        """Walk the folder, but not what is DVC's, git's, or behind a link."""
        for name in self.folder.names(below):
            path = f"{below}/{name}" if below else name
            place = self.folder.root / path
            if name in (".git", ".dvc", "node_modules", ".venv") or place.is_symlink():
                continue
            if place.is_dir():
                yield from self.walk(path)
            elif place.is_file():
                yield path


class Repository:
    """What DVC's files say, those of a folder or of a commit."""

    def __init__(self, tree: Tree, report: Report) -> None:
        self.tree, self.report = tree, report
        self.files = tree.paths()

    def stages(self) -> Iterator[Stage]:
        """All stages, of lock files and of *.dvc files."""
        for path in self.files:
            base = path.rpartition("/")[0]
            if path.rpartition("/")[2] == LOCK:
                yield from (self.report.tried("lock file", path, partial(self.lock, path, base)) or [])
            elif is_pointer(path):
                found = self.report.tried("pointer", path, partial(self.pointer, path, base))
                if found is not None:
                    yield found

    def lock(self, path: str, base: str) -> list[Stage]:
        """Read a lock file. Raises Invalid for another schema."""
        read = plain_yaml.mapping(self.tree.read(path))
        if str(read.get("schema")) != SCHEMA:
            raise Invalid(f"its schema is {str(read.get('schema'))[:20]!r}, not {SCHEMA}", "unknown_schema")
        stages = mapping_of(read.get("stages") or {}, "stages")
        return [stage_of(name, mapping_of(raw, name), base) for name, raw in stages.items()]

    def pointer(self, path: str, base: str) -> Stage:
        """Read a *.dvc file."""
        read = plain_yaml.mapping(self.tree.read(path))
        inside = fit.text(read.get("wdir"), 1_024, "wdir")
        return stage_of(path, read, posixpath.join(base, inside) if inside else base)

    def named(self) -> dict[str, Named]:
        """Read the `artifacts:` of all dvc.yaml, by their paths."""
        found = {}
        for path in self.files:
            if path.rpartition("/")[2] == PIPELINE:
                base = path.rpartition("/")[0]
                for one in self.report.tried("pipeline", path, partial(self.artifacts, path, base)) or []:
                    found[one.path] = one
        return found

    def artifacts(self, path: str, base: str) -> list[Named]:
        """Read the `artifacts:` of one dvc.yaml."""
        read = plain_yaml.mapping(self.tree.read(path))
        entries = mapping_of(read.get("artifacts") or {}, "artifacts")
        return [named_of(str(name), mapping_of(raw, str(name)), base) for name, raw in entries.items()]


def is_pointer(path: str) -> bool:
    """Say whether a file is a *.dvc file."""
    return path.endswith(POINTER) and path.rpartition("/")[2] != POINTER


def mapping_of(value: Any, field: str) -> Mapping[str, Any]:
    """Read a mapping. Raises Invalid."""
    if not isinstance(value, dict):
        raise Invalid(f"{field[:60]} is no mapping", "bad_mapping")
    return value


def stage_of(name: str, raw: Mapping[str, Any], base: str) -> Stage:
    """Read a stage. Raises Invalid."""
    outs, deps = (
        [item for entry in raw.get(part) or [] if (item := item_of(mapping_of(entry, part), base)) is not None]
        for part in ("outs", "deps")
    )
    return Stage(fit.text(name, 1_000, "stage"), outs, deps, command_of(raw.get("cmd")), raw.get("params"))


def command_of(value: Any) -> str:
    """Read a stage's command: one, or several."""
    return fit.text("\n".join(map(str, value)) if isinstance(value, list) else value, 100_000, "cmd")


def item_of(raw: Mapping[str, Any], base: str) -> Item | None:
    """Read an output or a dependency; None for one without an MD5, such as an address. Raises Invalid."""
    path = placed(base, raw.get("path"))
    if raw.get("md5") is None:
        return None
    md5 = fit.text(raw["md5"], 40, "md5")
    if not MD5.fullmatch(md5):
        raise Invalid(f"{path[:100]!r} has no MD5: {md5!r}", "bad_digest")
    size = None if raw.get("size") is None else fit.integer(raw["size"], "size", least=0)
    return Item(path, md5, size)


def named_of(name: str, raw: Mapping[str, Any], base: str) -> Named:
    """Read an entry of `artifacts:`. Raises Invalid."""
    labels = tuple(fit.text(label, 250, "label") for label in raw.get("labels") or [])
    kind, said = fit.text(raw.get("type"), 60, "type"), fit.text(raw.get("desc"), 100_000, "desc")
    return Named(fit.key(name, "artifacts"), placed(base, raw.get("path")), kind, said, labels, base)


def placed(base: str, value: object) -> str:
    """Read a path beside the file that names it. Raises Invalid for one that leaves the repository."""
    path = fit.text(value, 1_024, "path")
    found = posixpath.normpath(posixpath.join(base, path))
    if found.startswith(("/", "../")) or found in (".", ".."):
        raise Invalid(f"{path[:100]!r} leads out of the repository", "leaves_folder")
    return found
