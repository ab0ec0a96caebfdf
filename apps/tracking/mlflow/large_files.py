"""The tracking room's MLflow door: large files straight into the bucket and out of it, where clients reach it.

Elsewhere each call says that it is not offered, in the words on which the stock client falls back to the proxy.
"""

import re
import uuid
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.views import View

from apps.tenants.access.people.principal import acting
from apps.tracking.files import blobs, folders, parts, uploads
from apps.tracking.files.folders import Root
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.mlflow.base import TrackingView
from apps.tracking.models import Upload
from maestro import limits, multipart
from maestro.api.permissions import asking
from maestro.clock import now_ms
from maestro.errors import Invalid, NotFound, NotImplementedHere
from maestro.http.requests import refuse_query
from maestro.mlflow import fields as read
from maestro.multipart import Part

NO_MULTIPART = "Multipart upload is not supported for the current artifact repository"
NO_PRESIGNED = "Presigned download is not supported for the current artifact repository"
ETAG_CHARS = 200


@dataclass(frozen=True)
class Target:
    """The file that an upload shall be: a folder, the path in it, and the whole path as the address says it."""

    root: Root
    path: str
    whole: str


def require_offered(words: str, instead: str) -> None:
    """Raise NotImplementedHere in words that clients know."""
    if not multipart.is_offered():
        raise NotImplementedHere(f"{words}: {instead}")


def target_of(request: HttpRequest, folder: str, fields: dict[str, Any]) -> Target:
    """Find what file is meant: clients send the path that it has on their own disk. Raises Invalid, NotFound."""
    name = re.split(r"[/\\]", read.text(fields, "path"))[-1]
    whole = f"{folder.removesuffix('/')}/{clean_artifact_path(name)}"
    root, path = folders.locate(whole, asking(request).projects)
    clean_artifact_path(path)
    folders.require_writable(root)
    return Target(root, path, whole)


def owner_of(request: HttpRequest) -> str:
    """Name who sends a file, by kind and id."""
    who = asking(request)
    return f"{who.kind}:{who.id}"


def upload_of(request: HttpRequest, target: Target, fields: dict[str, Any]) -> Upload:
    """Fetch the upload that a call names. Raises NotFound for one of somebody else or for another file."""
    try:
        identity = uuid.UUID(read.text(fields, "upload_id"))
    except ValueError as error:
        raise uploads.no_upload() from error
    return uploads.fetch(identity, now=timezone.now(), owner=owner_of(request), path=target.whole)


class CreateParts(TrackingView):
    """POST mlflow-artifacts/mpu/create/<folder>"""

    def post(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Begin an upload and sign the addresses of its parts. Of more parts than we take, the proxy takes the file."""
        require_offered(NO_MULTIPART, "PUT streams files of any size")
        fields = self.fields(request)
        count = read.as_integer(read.given(fields, "num_parts"), "num_parts", 1)
        target = target_of(request, path, fields)
        if count > limits.UPLOAD_PARTS:
            raise NotImplementedHere(f"{NO_MULTIPART} in more than {limits.UPLOAD_PARTS} parts: PUT streams it")
        upload = uploads.begin_at(target.whole, count, owner=owner_of(request), now=timezone.now())
        signed = [(number, parts.sign(upload, number)) for number in range(1, count + 1)]
        credentials = [{"part_number": n, "url": one.url, "headers": one.headers} for n, one in signed]
        return {"upload_id": upload.pk.hex, "credentials": credentials}


class CompleteParts(TrackingView):
    """POST mlflow-artifacts/mpu/complete/<folder>"""

    def post(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Make the parts a file, once the whole was read and digested. Again it is harmless."""
        require_offered(NO_MULTIPART, "PUT streams files of any size")
        fields = self.fields(request)
        target = target_of(request, path, fields)
        told = [told_part(row) for row in read.rows(fields, "parts", limits.UPLOAD_PARTS)]
        upload = upload_of(request, target, fields)
        by, now = acting(request), now_ms()
        uploads.commit(
            upload,
            now=timezone.now(),
            told=told,
            share=target.root.share,
            then=lambda blob: folders.put(target.root, target.path, blob, by=by, now=now),
        )
        return {}


def told_part(row: dict[str, Any]) -> Part:
    """Read what a client says of a part: its number, and the mark that the bucket gave it."""
    number = read.as_integer(read.given(row, "part_number"), "part_number", 1, multipart.NUMBER_MAX)
    return Part(number, 0, read.text(row, "etag", ETAG_CHARS))


class AbortParts(TrackingView):
    """POST mlflow-artifacts/mpu/abort/<folder>"""

    def post(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Give an upload up; one that is not there is no error."""
        require_offered(NO_MULTIPART, "PUT streams files of any size")
        fields = self.fields(request)
        target = target_of(request, path, fields)
        try:
            uploads.discard(upload_of(request, target, fields))
        except NotFound:
            return {}
        return {}


class PresignedDownload(TrackingView):
    """GET mlflow-artifacts/presigned/<path>"""

    def get(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Sign an address of the bytes, which holds for an hour."""
        require_offered(NO_PRESIGNED, "GET streams files, with ranges")
        refuse_query(request)
        root, rest = folders.locate(path, asking(request).projects)
        blob = folders.fetch(root, rest)
        signed = multipart.sign_download(blobs.place_of(blob.storage_key))
        return {"url": signed.url, "headers": signed.headers, "file_size": blob.size_bytes}


class NoPresignedForProxied(TrackingView):
    """POST artifacts/presigned-upload-url and presigned-download-url"""

    def post(self, request: HttpRequest) -> dict[str, Any]:
        """Refuse, as the original does for proxied files."""
        raise Invalid("files are reached through the artifact proxy; there is no presigned address for them")


CALLS: dict[str, type[View]] = {
    "2.0/mlflow-artifacts/mpu/create/<path:path>": CreateParts,
    "2.0/mlflow-artifacts/mpu/complete/<path:path>": CompleteParts,
    "2.0/mlflow-artifacts/mpu/abort/<path:path>": AbortParts,
    "2.0/mlflow-artifacts/presigned/<path:path>": PresignedDownload,
    "2.0/mlflow/artifacts/presigned-upload-url": NoPresignedForProxied,
    "2.0/mlflow/artifacts/presigned-download-url": NoPresignedForProxied,
}
