"""The floor: a stored file as a browser's answer: an image in its place, all else as a download."""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Protocol

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from maestro.errors import MaestroError
from maestro.http.streams import SAFETY, archive_response, file_response


def serve(
    request: HttpRequest,
    path: str,
    *,
    sha256: str,
    size_bytes: int,
    read: Callable[[int, int], Iterator[bytes]],
    image_type: str = "",
) -> HttpResponseBase:
    """A file's bytes, streamed, whole or a range: an image in place with `?inline`, all else as a download."""
    try:
        if "inline" in request.GET and image_type:
            return HttpResponse(b"".join(read(0, size_bytes)), content_type=image_type, headers=SAFETY)
        return file_response(request, name=PurePosixPath(path).name, sha256=sha256, size_bytes=size_bytes, read=read)
    except MaestroError as refusal:
        return HttpResponse(f"{refusal.detail}.", status=refusal.status, content_type="text/plain")


class Packed(Protocol):
    """Files as one, laid out to be sent."""

    @property
    def content_type(self) -> str:
        """What it is."""

    @property
    def size_bytes(self) -> int:
        """Its length."""

    @property
    def mark(self) -> str:
        """A mark that changes only with what is in it."""

    @property
    def pieces(self) -> Callable[[], Iterator[bytes]]:
        """Its bytes."""


def serve_archive(request: HttpRequest, name: str, pack: Callable[[], Packed]) -> HttpResponseBase:
    """Send many files as one, streamed, always as a download."""
    try:
        made = pack()
        return archive_response(
            request, name=name, kind=made.content_type, tag=made.mark, size_bytes=made.size_bytes, pieces=made.pieces
        )
    except MaestroError as refusal:
        return HttpResponse(f"{refusal.detail}.", status=refusal.status, content_type="text/plain")
