"""The registry room: bytes of another tool, taken in file by file, each digested on its way."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.registry.imports.report import Report
from apps.tracking.files import blobs
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.files.quotas import Share, share_of
from apps.tracking.models import Blob, Project


@dataclass(frozen=True)
class SourceFile:
    """A file of the source: its path in its folder, its size if that is known, and a way to its bytes."""

    path: str
    size_bytes: int | None
    open: Callable[[], Iterator[bytes]]


@dataclass
class Brought:
    """Files that were taken in, or are here already, and what the source says of each: a digest, or a size only."""

    blobs: dict[str, Blob] = field(default_factory=dict)
    said: dict[str, str] = field(default_factory=dict)


def bring(
    files: Iterable[SourceFile], known: Mapping[str, Blob], report: Report, owner: str, *, project: Project
) -> Brought:
    """Take in files that are not here yet. One of the same path and size is not read again. What fails is noted.

    Raises QuotaReached.
    """
    brought, share = Brought(), share_of(project)
    for file in files:
        report.tried("file", f"{owner}/{file.path}", lambda file=file: take(file, known, brought, share))  # type: ignore[misc]
    return brought


def take(file: SourceFile, known: Mapping[str, Blob], brought: Brought, share: Share | None) -> None:
    """Take in one file. Raises Invalid for a path that nothing may have, and what the source raises."""
    path = clean_artifact_path(file.path)
    here = known.get(path)
    if here is not None and here.size_bytes == file.size_bytes:
        brought.said[path] = f"{here.size_bytes} bytes"
        return
    told = hashlib.sha256()
    blob, _ = blobs.store(digested(file.open(), told), blobs.Promise(size_bytes=file.size_bytes), share=share)
    brought.blobs[path] = blob
    brought.said[path] = told.hexdigest()


def digested(pieces: Iterable[bytes], told: Any) -> Iterator[bytes]:
    """Pass bytes on and digest them."""
    for piece in pieces:
        told.update(piece)
        yield piece


def as_said(said: Mapping[str, str], here: Mapping[str, Blob]) -> dict[str, str]:
    """Say of the files that are here what the source says of its own: digests, or sizes."""
    return {
        path: f"{blob.size_bytes} bytes" if said.get(path, "").endswith(" bytes") else blob.sha256
        for path, blob in here.items()
    }
