"""The tracking room: files as a tree, and what can be shown of one without ever running it. For runs and versions."""

import csv
import io
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Any

from django.db.models import QuerySet

from apps.tracking.files import blobs
from apps.tracking.files.formats import reading
from apps.tracking.files.formats.told import Told
from apps.tracking.files.formats.window import Unreadable
from apps.tracking.models import Blob
from maestro import limits
from maestro.errors import NotFound, Unavailable

# What is shown fits a page; what must be read whole to be understood (JSON, notebooks) may be larger than that.
SHOWN_CHARS, PREVIEW_BYTES, PARSED_BYTES, IMAGE_BYTES = 60_000, 200_000, 4_000_000, 4_000_000
MAX_FILES, MAX_LISTED, MAX_ROWS, MAX_COLUMNS, MAX_CELLS = 2_000, 300, 200, 40, 100
CELL_CHARS, OUTPUT_CHARS = 120, 2_000
PARSED_ITEMS = 100_000
INDENTED = json.JSONEncoder(indent=2, ensure_ascii=False)
PARSED = {".json", ".ipynb"}
HALF = re.compile("[\ud800-\udfff]")
TEXTS = {
    ".txt",
    ".log",
    ".py",
    ".yaml",
    ".yml",
    ".toml",
    ".ini",
    ".cfg",
    ".sh",
    ".sql",
    ".r",
    ".xml",
    ".html",
    ".svg",
    "",
}
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(slots=True)
class Folder:
    """A folder of the tree."""

    name: str
    folders: dict[str, "Folder"] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)

    @property
    def sorted_folders(self) -> list["Folder"]:
        """Its folders by name."""
        return [self.folders[name] for name in sorted(self.folders)]


@dataclass(frozen=True, slots=True)
class Preview:
    """What can be shown of one file: `kind` is text, table, markdown, notebook, header, image, large, missing or none."""

    path: str
    kind: str
    size_bytes: int
    sha256: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    cells: tuple[tuple[str, str, str], ...] = ()
    is_cut: bool = False
    width: int = 0
    told: Told | None = None
    why_not: str = ""

    @property
    def is_executable(self) -> bool:
        """Whether loading it may run what its maker wrote into it."""
        return reading.is_executable(self.path)

    @property
    def hidden_columns(self) -> int:
        """How many columns of a table are not shown."""
        return max(self.width - MAX_COLUMNS, 0)


def tree(files: Iterable[tuple[str, int]], chosen: str = "") -> Folder:
    """Paths with sizes as nested folders: the first ones, and the chosen one."""
    root = Folder("")
    for index, (path, size_bytes) in enumerate(sorted(files)):
        if index >= MAX_LISTED and path != chosen:
            continue
        at = root
        *folders, name = path.split("/")
        for folder in folders:
            at = at.folders.setdefault(folder, Folder(folder))
        at.files.append({"name": name, "path": path, "size_bytes": size_bytes, "is_chosen": path == chosen})
    return root


def files_shown(files: "QuerySet[Any]", chosen: str) -> tuple[list[Any], int, Any]:
    """The first files of a tree by name and the chosen one, how many there are, and the chosen one if it is there."""
    rows = list(files.select_related("blob").order_by("path")[: MAX_FILES + 1])
    count = len(rows) if len(rows) <= MAX_FILES else files.count()
    rows = rows[:MAX_FILES]
    found = next((row for row in rows if row.path == chosen), None)
    if found is None and chosen and count > MAX_FILES:
        found = files.select_related("blob").filter(path=chosen).first()
        rows += [found] if found else []
    return rows, count, found


def read_start(blob: Blob, limit: int) -> bytes | None:
    """The first bytes of a blob; None when the store has lost them or does not answer."""
    try:
        return b"".join(blobs.read(blob, 0, min(limit, blob.size_bytes)))
    except (NotFound, Unavailable):
        return None


def preview(path: str, blob: Blob) -> Preview:
    """Decide by the name's ending how to show a file, and read no more than that needs."""
    ending = PurePosixPath(path).suffix.lower()
    shell = Preview(path, "none", blob.size_bytes, blob.sha256)
    if ending in IMAGES:
        return replace(shell, kind="image" if blob.size_bytes <= IMAGE_BYTES else "large")
    if ending in reading.READERS:
        return header(shell, blob)
    most = PARSED_BYTES if ending in PARSED else PREVIEW_BYTES
    raw = read_start(blob, most)
    if raw is None:
        return replace(shell, kind="missing")
    if b"\x00" in raw:
        return shell
    cut = blob.size_bytes > most
    text = raw.decode("utf-8-sig", errors="ignore" if cut else "replace")
    fields = read_text(ending, text, cut)
    return replace(shell, **{"is_cut": cut, **fields})


def header(shell: Preview, blob: Blob) -> Preview:
    """What a file's header tells, or why nothing can be told."""
    try:
        return replace(shell, kind="header", told=reading.told_of(shell.path, blob))
    except Unreadable as error:
        return replace(shell, why_not=str(error))
    except (NotFound, Unavailable):
        return replace(shell, kind="missing")


def read_text(ending: str, text: str, cut: bool) -> dict[str, Any]:
    """The fields of a Preview that a text's ending asks for; plain text when it does not parse."""
    if ending in {".csv", ".tsv"}:
        return read_table(text, "\t" if ending == ".tsv" else delimiter_of(text), cut)
    if ending in {".md", ".markdown"}:
        return plain(text, cut) | {"kind": "markdown"}
    if ending in PARSED and not cut:
        return read_json(text, is_notebook=ending == ".ipynb")
    return plain(text, cut)


def plain(text: str, cut: bool) -> dict[str, Any]:
    """As much of a text as a page shows."""
    return {"kind": "text", "text": text[:SHOWN_CHARS], "is_cut": cut or len(text) > SHOWN_CHARS}


def delimiter_of(text: str) -> str:
    """The sign between cells: a semicolon where the first line has more of them, as spreadsheets of many countries write."""
    head = text.partition("\n")[0]
    return ";" if head.count(";") > head.count(",") else ","


def read_table(text: str, delimiter: str, cut: bool) -> dict[str, Any]:
    """The first rows of a table, as many as a page shows; a broken one is shown as text."""
    rows: list[tuple[str, ...]] = []
    chars, widest = 0, 0
    try:
        for row in csv.reader(io.StringIO(text), delimiter=delimiter):
            if len(rows) > MAX_ROWS or chars > SHOWN_CHARS // 2:
                cut = True
                break
            widest = max(widest, len(row))
            rows.append(tuple(value[:CELL_CHARS] for value in row[:MAX_COLUMNS]))
            # A cell's own markup weighs as much as some letters.
            chars += sum(len(value) + 8 for value in rows[-1])
    except csv.Error:
        return plain(text, cut)
    if not rows:
        return plain(text, cut)
    return {"kind": "table", "columns": rows[0], "rows": tuple(rows[1:]), "is_cut": cut, "width": widest}


def read_json(text: str, *, is_notebook: bool) -> dict[str, Any]:
    """Indented JSON, or a notebook's cells with what they printed. Of very many parts it is text."""
    if text.count(",") + text.count("[") + text.count("{") > PARSED_ITEMS:
        return plain(text, cut=False)
    try:
        data = json.loads(text)
        written = indented(data)
    except (ValueError, RecursionError):
        return plain(text, cut=False)
    cells = data.get("cells") if is_notebook and isinstance(data, dict) else None
    if not isinstance(cells, list):
        return plain(whole(written), cut=False)
    shown: list[tuple[str, str, str]] = []
    prose = 0
    for cell in (cell for cell in cells[:MAX_CELLS] if isinstance(cell, dict)):
        if sum(len(source) + len(output) for _, source, output in shown) > SHOWN_CHARS:
            break
        kind, source = whole(str(cell.get("cell_type", "code"))), whole(joined(cell.get("source"))[:SHOWN_CHARS])
        prose += len(source) if kind == "markdown" else 0
        # One budget for all cells: what is beyond it is shown as it was written.
        shown.append((kind if prose <= limits.MARKDOWN_CHARS else "raw", source, whole(printed(cell))))
    return {"kind": "notebook", "cells": tuple(shown), "is_cut": len(shown) < len(cells)}


def whole(text: str) -> str:
    """A text as a page can send it: half a character, which JSON can spell, becomes the sign for one that is lost."""
    return HALF.sub("\ufffd", text)


def indented(data: object) -> str:
    """A document with its indentation, written no further than a page shows: deep ones are mostly blanks."""
    parts, chars = [], 0
    for part in INDENTED.iterencode(data):
        parts.append(part)
        chars += len(part)
        if chars > SHOWN_CHARS:
            break
    return "".join(parts)


def joined(lines: object) -> str:
    """A notebook's text, which is a string or a list of lines."""
    return "".join(map(str, lines)) if isinstance(lines, list) else str(lines or "")


def printed(cell: dict[str, Any]) -> str:
    """What a cell printed, as text; pictures and HTML stay in the file."""
    outputs = cell.get("outputs")
    parts = []
    for output in (one for one in (outputs if isinstance(outputs, list) else []) if isinstance(one, dict)):
        data = output.get("data")
        parts.append(joined(output.get("text") or (data.get("text/plain") if isinstance(data, dict) else "")))
    return "\n".join(part for part in parts if part)[:OUTPUT_CHARS]


def served(path: str, blob: Blob) -> dict[str, Any]:
    """What an answer with a file's bytes is made of; `image_type` is empty for all that is no small image."""
    ending = PurePosixPath(path).suffix.lower()
    return {
        "sha256": blob.sha256,
        "size_bytes": blob.size_bytes,
        "read": partial(blobs.read, blob),
        "image_type": IMAGES.get(ending, "") if blob.size_bytes <= IMAGE_BYTES else "",
    }
