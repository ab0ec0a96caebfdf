"""The tracking room: files as a tree, and what can be shown of one without ever running it. For runs and versions."""

import csv
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any

from django.http import HttpResponse
from django.utils.http import content_disposition_header

from apps.tracking import blobs
from apps.tracking.models import Blob
from maestro.errors import NotFound, Unavailable

PREVIEW_BYTES, IMAGE_BYTES = 200_000, 4_000_000
MAX_FILES, MAX_ROWS, MAX_COLUMNS, MAX_CELLS = 2_000, 200, 40, 60
IMAGES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}
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
    """What can be shown of one file: `kind` is text, table, json, markdown, notebook, image or none."""

    path: str
    kind: str
    size_bytes: int
    sha256: str
    text: str = ""
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    cells: tuple[tuple[str, str], ...] = ()
    is_cut: bool = False


def tree(files: Iterable[tuple[str, int]], chosen: str = "") -> Folder:
    """Paths with sizes as nested folders."""
    root = Folder("")
    for path, size_bytes in sorted(files):
        at = root
        *folders, name = path.split("/")
        for folder in folders:
            at = at.folders.setdefault(folder, Folder(folder))
        at.files.append({"name": name, "path": path, "size_bytes": size_bytes, "is_chosen": path == chosen})
    return root


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
        return replace(shell, kind="image") if blob.size_bytes <= IMAGE_BYTES else shell
    raw = read_start(blob, PREVIEW_BYTES)
    if raw is None:
        return replace(shell, kind="missing")
    if b"\x00" in raw:
        return shell
    cut = blob.size_bytes > PREVIEW_BYTES
    text = raw.decode("utf-8", errors="ignore" if cut else "replace")
    return replace(shell, is_cut=cut, **read_text(ending, text, cut))


def read_text(ending: str, text: str, cut: bool) -> dict[str, Any]:
    """The fields of a Preview that a text's ending asks for; plain text when it does not parse."""
    if ending in {".csv", ".tsv"}:
        return read_table(text, "\t" if ending == ".tsv" else ",")
    if ending in {".md", ".markdown"}:
        return {"kind": "markdown", "text": text}
    if ending in {".json", ".ipynb"} and not cut:
        return read_json(text, is_notebook=ending == ".ipynb")
    return {"kind": "text", "text": text}


def read_table(text: str, delimiter: str) -> dict[str, Any]:
    """The first rows of a table; a broken one is shown as text."""
    try:
        rows = [
            row[:MAX_COLUMNS]
            for row, _ in zip(csv.reader(io.StringIO(text), delimiter=delimiter), range(MAX_ROWS + 1), strict=False)
        ]
    except csv.Error:
        return {"kind": "text", "text": text}
    if not rows:
        return {"kind": "text", "text": text}
    return {"kind": "table", "columns": tuple(rows[0]), "rows": tuple(map(tuple, rows[1:]))}


def read_json(text: str, *, is_notebook: bool) -> dict[str, Any]:
    """Indented JSON, or a notebook's cells without their outputs."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {"kind": "text", "text": text}
    cells = data.get("cells") if is_notebook and isinstance(data, dict) else None
    if not isinstance(cells, list):
        return {"kind": "text", "text": json.dumps(data, indent=2, ensure_ascii=False)[:PREVIEW_BYTES]}
    shown = [cell for cell in cells[:MAX_CELLS] if isinstance(cell, dict)]
    return {
        "kind": "notebook",
        "cells": tuple((str(cell.get("cell_type", "code")), cell_source(cell)) for cell in shown),
    }


def cell_source(cell: dict[str, Any]) -> str:
    """A notebook cell's text, which is a string or a list of lines."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def serve(path: str, blob: Blob, *, inline: bool) -> HttpResponse:
    """A file's bytes: an image in place if asked, everything else as a download that no browser runs."""
    kind = IMAGES.get(PurePosixPath(path).suffix.lower(), "")
    is_shown = inline and bool(kind) and blob.size_bytes <= IMAGE_BYTES
    raw = read_start(blob, IMAGE_BYTES)
    if raw is None or blob.size_bytes > IMAGE_BYTES:
        return HttpResponse(
            "These bytes are not here, or too many for this page.", status=404, content_type="text/plain"
        )
    answer = HttpResponse(raw, content_type=kind if is_shown else "application/octet-stream")
    answer["X-Content-Type-Options"] = "nosniff"
    answer["Content-Security-Policy"] = "default-src 'none'; sandbox"
    header = content_disposition_header(not is_shown, PurePosixPath(path).name)
    if header:
        answer["Content-Disposition"] = header
    return answer
