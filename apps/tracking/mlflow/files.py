"""The tracking room's MLflow door: files, by way of the artifact proxy."""

from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.views import View

from apps.tenants.access.people.principal import acting
from apps.tracking.files import blobs, folders
from apps.tracking.files.paths import clean_artifact_path, clean_directory
from apps.tracking.mlflow import large_files
from apps.tracking.mlflow.base import TrackingView
from apps.tracking.mlflow.batches import run_uuid
from apps.tracking.refusals import no_run
from apps.tracking.scoping import runs_for
from maestro.api.permissions import asking
from maestro.clock import now_ms
from maestro.errors import NotFound
from maestro.http.requests import refuse_query
from maestro.http.streams import file_response, read_upload
from maestro.mlflow import fields as read


class ProxiedFile(TrackingView):
    """PUT, GET and DELETE mlflow-artifacts/artifacts/<path>"""

    def put(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Take a file in, streamed. A body cut short leaves nothing."""
        refuse_query(request)
        root, rest = folders.locate(path, asking(request).projects)
        clean_artifact_path(rest)
        folders.require_writable(root)
        upload = read_upload(request)
        blob, _ = blobs.store(upload.chunks, blobs.Promise(upload.size_bytes, upload.sha256), share=root.share)
        folders.put(root, rest, blob, by=acting(request), now=now_ms())
        return {}

    def get(self, request: HttpRequest, path: str) -> HttpResponseBase:
        """Send a file, whole or one range."""
        refuse_query(request)
        root, rest = folders.locate(path, asking(request).projects)
        blob = folders.fetch(root, rest)
        return file_response(
            request,
            name=rest,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            read=lambda start, stop: blobs.read(blob, start, stop),
        )

    def delete(self, request: HttpRequest, path: str) -> dict[str, Any]:
        """Delete a file or a folder."""
        refuse_query(request)
        root, rest = folders.locate(path, asking(request).projects)
        folders.remove(root, rest, by=acting(request))
        return {}


class ProxiedFolder(TrackingView):
    """GET mlflow-artifacts/artifacts?path="""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """List one folder by base names."""
        folder = clean_directory(read.text_or(self.fields(request), "path"))
        if not folder:
            raise NotFound("name the folder of a run or of a logged model")
        root, rest = folders.locate(folder, asking(request).projects)
        return {"files": folders.file_infos(folders.entries(root, rest))}


class ListArtifacts(TrackingView):
    """GET artifacts/list"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """List one folder of a run by paths from the run's root."""
        fields = self.fields(request)
        identity = run_uuid(fields.get("run_id") or read.text(fields, "run_uuid" if "run_uuid" in fields else "run_id"))
        if not runs_for(asking(request)).filter(pk=identity).exists():
            raise no_run(identity)
        root = folders.run_root(identity.hex)
        assert root is not None  # noqa: S101 the run was there a moment ago
        folder = clean_directory(read.text_or(fields, "path"))
        answer: dict[str, Any] = {"root_uri": root.uri}
        files = folders.file_infos(folders.entries(root, folder), folder)
        return answer | ({"files": files} if files else {})


CALLS: dict[str, type[View]] = {
    "2.0/mlflow-artifacts/artifacts": ProxiedFolder,
    "2.0/mlflow-artifacts/artifacts/<path:path>": ProxiedFile,
    "2.0/mlflow/artifacts/list": ListArtifacts,
}
urlpatterns: list[URLPattern] = [
    path(prefix + address, view.as_view())
    for address, view in (CALLS | large_files.CALLS).items()
    for prefix in ("api/", "ajax-api/")
]
