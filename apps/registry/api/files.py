"""The registry room's REST door: bytes in by digest, files of versions out."""

from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry import contents
from apps.registry.api.serializers import BlobShown, FileShown
from apps.registry.models import ArtifactVersion, VersionFile
from apps.registry.models.versions import SHA256
from apps.registry.scoping import artifacts_for
from apps.registry.usages import RUN_HEADER, note_download
from apps.tracking.files import archives, blobs
from apps.tracking.files.paths import clean_artifact_path
from maestro.api.permissions import asking, reading_and_writing
from maestro.errors import Invalid, NotFound
from maestro.http.streams import archive_response, file_response, read_upload

BY_RUN = OpenApiParameter(
    RUN_HEADER, str, OpenApiParameter.HEADER, description="the run that downloads: it is recorded as using this"
)


class BlobUpload(APIView):
    """Bytes by their digest, to be named by a version afterwards. Unnamed bytes are swept after a day."""

    required_role = {"PUT": "contributor"}
    parser_classes = ()

    @extend_schema(
        operation_id="blobs_put",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: BlobShown, 201: BlobShown},
    )
    def put(self, request: Request, sha256: str) -> Response:
        """Send bytes with Content-Length. Other bytes than the address says are 409, too few are 400."""
        if not SHA256.fullmatch(sha256):
            raise Invalid("the address must end in 64 lower-case hex digits", "bad_digest")
        upload = read_upload(request._request)
        blob, is_new = contents.bring(upload.chunks, blobs.Promise(upload.size_bytes, sha256), by=asking(request))
        return Response(BlobShown(blob).data, status=201 if is_new else 200)


class VersionFiles(GenericAPIView[VersionFile]):
    """The files of a version."""

    required_role = reading_and_writing()
    serializer_class = FileShown
    page_ordering = ("path",)

    @extend_schema(operation_id="version_files_list")
    def get(self, request: Request, artifact: str, version: str) -> Response:
        """List a version's files by path."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        page = self.paginate_queryset(found.files.select_related("blob"))
        return self.get_paginated_response(FileShown(page, many=True).data)


class VersionFileDownload(APIView):
    """The bytes of one file."""

    required_role = reading_and_writing()

    @extend_schema(
        operation_id="version_files_get",
        parameters=[BY_RUN],
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, artifact: str, version: str, path: str) -> HttpResponseBase:
        """Download a file, whole or one range. With X-Maestro-Run the use is recorded."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        file = found.files.select_related("blob").filter(path=clean_artifact_path(path)).first()
        if file is None:
            raise NotFound("there is no such file")
        note_download(asking(request), found, request.headers.get(RUN_HEADER), timezone.now())
        blob = file.blob
        return file_response(
            request._request,
            name=file.path,
            sha256=blob.sha256,
            size_bytes=blob.size_bytes,
            read=lambda start, stop: blobs.read(blob, start, stop),
        )


class VersionArchive(APIView):
    """All files of a version as one."""

    required_role = "viewer"

    @extend_schema(
        operation_id="version_files_archive",
        parameters=[BY_RUN],
        responses={(200, "application/zip"): OpenApiTypes.BINARY, (200, "application/x-tar"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, artifact: str, version: str, kind: str) -> HttpResponseBase:
        """Download a version as `archive.zip` or `archive.tar`: not compressed, the same bytes each time."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        made = archives.archive(kind, archives.members_of(found.files.all()))
        note_download(asking(request), found, request.headers.get(RUN_HEADER), timezone.now())
        return archive_response(
            request._request,
            name=f"{found.artifact.name}-{found.number}.{kind}",
            kind=made.content_type,
            tag=made.mark,
            size_bytes=made.size_bytes,
            pieces=made.pieces,
        )
