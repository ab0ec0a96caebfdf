"""The floor: files over HTTP: a body read piece by piece, and an answer of at most one byte range.

Nothing that somebody uploaded is ever shown by a browser as a page of ours.
Source  SECURITY requirements R20, R21 and P10; RFC 9110 section 14 (ranges), RFC 9530 (digests), RFC 6266 (names)
"""

import base64
import binascii
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from urllib.parse import quote

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase

from maestro import limits
from maestro.database.session import connection
from maestro.errors import Invalid, RangeNotSatisfiable, TooLarge
from maestro.http.heavy import LARGE_BYTES, streams

CHUNK_BYTES = 256 * 2**10
RANGE = re.compile(r"bytes=(\d{0,19})-(\d{0,19})")
DIGEST = re.compile(r"sha-256=:?([A-Za-z0-9+/]{43}=):?", re.IGNORECASE)
PLAIN = "text/plain; charset=utf-8"
# Safe in an attachment that nobody sniffs and that runs nothing: never HTML, SVG, XML or scripts.
SHOWN_AS_THEY_ARE = {
    **dict.fromkeys(("txt", "log", "cfg", "ini", "toml", "yaml", "yml", "md", "rst", "py", "mlmodel"), PLAIN),
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "tsv": "text/tab-separated-values; charset=utf-8",
    "pdf": "application/pdf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
}
SAFETY = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
}


@dataclass(frozen=True)
class Upload:
    """A body that is coming in, with what its headers promise."""

    chunks: Iterator[bytes]
    size_bytes: int | None
    sha256: str | None


def read_upload(request: HttpRequest) -> Upload:
    """Open a request's body. Raises Invalid or TooLarge before anything is read.

    A chunked body that was cut short can't be told from a whole one here, so it must promise its digest or be empty.
    """
    sha256 = promised_digest(request.META.get("HTTP_CONTENT_DIGEST") or request.META.get("HTTP_DIGEST") or "")
    declared = request.META.get("CONTENT_LENGTH") or ""
    if not declared:
        chunks = pieces(request.META["wsgi.input"].read) if is_chunked(request) else iter(())
        return Upload(chunks if sha256 else only_empty(chunks), None, sha256)
    if not declared.isascii() or not declared.isdecimal() or len(declared) > 19:
        raise Invalid("Content-Length must be a whole number", "bad_length")
    if int(declared) > limits.FILE_BYTES:
        raise TooLarge(f"a file may have at most {limits.FILE_BYTES} bytes", "file_too_large")
    return Upload(pieces(request.read), int(declared), sha256)


def is_chunked(request: HttpRequest) -> bool:
    """Say whether a body comes in chunks, without a length."""
    return "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower()


def pieces(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Read piece by piece until nothing comes."""
    while chunk := read(CHUNK_BYTES):
        yield chunk


def only_empty(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Let an empty body pass: the mlflow client sends empty files chunked. Raises Invalid for any other."""
    for chunk in chunks:
        if chunk:
            raise Invalid("send Content-Length, or Content-Digest with a chunked body", "length_required")
        yield chunk


def promised_digest(header: str) -> str | None:
    """Read a sha-256 out of Content-Digest or Digest, as hex. Raises Invalid for another algorithm."""
    if not header:
        return None
    match = DIGEST.search(header)
    if match is None:
        raise Invalid("only sha-256 is understood in Content-Digest", "bad_digest")
    try:
        return base64.b64decode(match[1], validate=True).hex()
    except binascii.Error as error:
        raise Invalid("the digest is not base64", "bad_digest") from error


def file_response(
    request: HttpRequest, *, name: str, sha256: str, size_bytes: int, read: Callable[[int, int], Iterator[bytes]]
) -> HttpResponseBase:
    """Answer a file, whole or one range of it, as an attachment. Raises RangeNotSatisfiable."""
    tag = f'"{sha256}"'
    headers = SAFETY | {
        "ETag": tag,
        "Digest": f"sha-256={base64.b64encode(bytes.fromhex(sha256)).decode()}",
        "Content-Disposition": disposition(name),
        "Content-Type": content_type(name),
    }
    if is_known(request, tag):
        return HttpResponse(status=304, headers=headers)
    span = None if "HTTP_IF_RANGE" in request.META and request.META["HTTP_IF_RANGE"] != tag else wanted(request)
    start, stop = span_of(span, size_bytes)
    headers["Content-Length"] = str(stop - start)
    if span is not None:
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size_bytes}"
    status = 200 if span is None else 206
    if request.method == "HEAD":
        return HttpResponse(status=status, headers=headers)
    return StreamingHttpResponse(sent(read(start, stop), stop - start), status=status, headers=headers)


def is_known(request: HttpRequest, tag: str) -> bool:
    """Say whether who asks has this very content already."""
    known = [one.strip() for one in request.META.get("HTTP_IF_NONE_MATCH", "").split(",")]
    return "*" in known or tag in known or f"W/{tag}" in known


def archive_response(
    request: HttpRequest, *, name: str, kind: str, tag: str, size_bytes: int, pieces: Callable[[], Iterator[bytes]]
) -> HttpResponseBase:
    """Answer many files as one that is written while it is sent: all of it, never a range."""
    headers = SAFETY | {"ETag": f'"{tag}"', "Content-Disposition": disposition(name), "Content-Type": kind}
    headers |= {"Accept-Ranges": "none"}
    if is_known(request, headers["ETag"]):
        return HttpResponse(status=304, headers=headers)
    headers["Content-Length"] = str(size_bytes)
    if request.method == "HEAD":
        return HttpResponse(headers=headers)
    return StreamingHttpResponse(sent(pieces(), size_bytes), headers=headers)


def content_type(name: str) -> str:
    """Choose a download's type by the end of its name; what a browser could run stays bytes."""
    base = name.rpartition("/")[2]  # of a name without an ending, as MLmodel, the whole counts
    return SHOWN_AS_THEY_ARE.get(base.rpartition(".")[2].lower(), "application/octet-stream")


def text_file(pieces: Iterator[bytes], *, name: str, kind: str) -> StreamingHttpResponse:
    """Answer a file as it is written. Its first piece is made now, while a refusal can still be answered."""
    headers = SAFETY | {
        "Content-Disposition": disposition(name),
        "Content-Type": kind,
        "Cache-Control": "no-store",
        "Accept-Ranges": "none",
    }
    return StreamingHttpResponse(sent(pieces), headers=headers)


class Sent:
    """Pieces of a long answer. It ends with its last piece, when the server closes it, or when nobody knows it any more."""

    def __init__(self, pieces: Iterator[bytes], end: Callable[[], None]) -> None:
        self.pieces, self.close = pieces, end

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            return next(self.pieces)
        except BaseException:
            self.close()
            raise

    def __del__(self) -> None:
        self.close()


def sent(pieces: Iterator[bytes], size_bytes: int | None = None) -> Iterator[bytes]:
    """Send pieces, the first of which is fetched now; long answers a few at a time. Raises Busy.

    Where nobody knows how long it will be, as much is fetched as a short one has.
    """
    head, size = [], 0
    for piece in pieces:
        head.append(piece)
        size += len(piece)
        if size_bytes is not None or size > LARGE_BYTES:
            break
    if max(size, size_bytes or 0) <= LARGE_BYTES:
        return chain(head, pieces)
    return Sent(chain(head, pieces), streams.begin(str(connection.schema_name)))


def wanted(request: HttpRequest) -> str | None:
    """Read the Range header; a unit that is not bytes is ignored, as RFC 9110 asks."""
    header = request.META.get("HTTP_RANGE", "").strip()
    return header if header.startswith("bytes=") else None


def span_of(header: str | None, size_bytes: int) -> tuple[int, int]:
    """Turn a Range header into (start, stop). Raises RangeNotSatisfiable for several ranges or one outside."""
    if header is None:
        return 0, size_bytes
    match = RANGE.fullmatch(header)
    if match is None or match[1] == match[2] == "":
        raise RangeNotSatisfiable("ask for one range, as in bytes=0-99")
    if not match[1]:
        start, stop = max(size_bytes - int(match[2]), 0), size_bytes
    else:
        start = int(match[1])
        stop = min(int(match[2]) + 1, size_bytes) if match[2] else size_bytes
    if start >= stop:
        raise RangeNotSatisfiable(f"the file has {size_bytes} bytes")
    return start, stop


def disposition(name: str) -> str:
    """Name a download safely in every browser."""
    base = name.rpartition("/")[2]
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", base)[:150] or "file"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(base, safe='')}"
