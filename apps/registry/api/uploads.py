"""The registry room's REST door: which bytes are missing, and large files in parts."""

import uuid
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.registry import contents
from apps.registry.api.serializers import HEX, BlobShown
from apps.tenants.routing import this_tenant
from apps.tracking.files import uploads
from apps.tracking.models import Upload
from maestro import limits
from maestro.api.permissions import asking, public_route
from maestro.api.serializers import Listed, StrictSerializer, Whole
from maestro.http.streams import read_upload
from maestro.multipart import SIGNED_SECONDS, Signed

TENANT_HEADER = "X-Maestro-Tenant"  # for the base host, where nothing else in such a request names the tenant


def digest_field(**options: Any) -> serializers.Field[Any, Any, Any, Any]:
    """A sha256, as 64 lower-case hex digits."""
    return serializers.RegexField(HEX, max_length=64, min_length=64, **options)


class DigestsAsked(StrictSerializer):
    """Digests of files that somebody has."""

    digests = Listed(child=digest_field(), min_length=1, max_length=limits.DIGESTS_ASKED)


class DigestsMissing(serializers.Serializer[Any]):
    """Those whose bytes have to be sent."""

    missing = serializers.ListField(child=serializers.CharField())


class UploadNew(StrictSerializer):
    """A file that shall be sent in parts."""

    sha256 = digest_field(help_text="of the whole file")
    size_bytes = Whole(min_value=1, max_value=limits.FILE_BYTES)
    part_size_bytes = Whole(
        required=False,
        min_value=uploads.LEAST_PART_BYTES,
        max_value=uploads.MOST_PART_BYTES,
        help_text="16 MiB, or more where that would be more than 1,000 parts",
    )


class PartNew(StrictSerializer):
    """A part that shall be sent."""

    number = Whole(min_value=1, max_value=limits.UPLOAD_PARTS)
    sha256 = digest_field(help_text="of this part alone")


class PartsNew(StrictSerializer):
    """Parts that shall be sent now."""

    parts = PartNew(many=True, min_length=1, max_length=limits.UPLOAD_PARTS)  # type: ignore[call-arg]


class PartHere(serializers.Serializer[Any]):
    """A part that has arrived."""

    number = serializers.IntegerField()
    size_bytes = serializers.IntegerField()


class PartSigned(serializers.Serializer[Any]):
    """Where a part is to be PUT, with which headers; no key is sent there."""

    number = serializers.IntegerField()
    url = serializers.CharField()
    headers = serializers.DictField(child=serializers.CharField())
    seconds = serializers.IntegerField(help_text="how long the address holds")


class PartsSigned(serializers.Serializer[Any]):
    """Where the parts are to be PUT."""

    parts = PartSigned(many=True)


class UploadShown(serializers.Serializer[Any]):
    """An upload. `state` is `open` or `done`; without an id the bytes are here already and nothing is to be sent."""

    id = serializers.UUIDField(allow_null=True)
    state = serializers.ChoiceField(choices=["open", "done"])
    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()
    part_size_bytes = serializers.IntegerField(allow_null=True)
    parts = serializers.IntegerField()
    here = PartHere(many=True)
    is_direct = serializers.BooleanField(help_text="parts go straight into the bucket")
    expires_at = serializers.DateTimeField(allow_null=True)


def shown(upload: Upload) -> dict[str, Any]:
    """Show an upload and which parts have arrived."""
    here = uploads.here(upload)
    facts = {
        "id": upload.pk,
        "state": "open" if upload.done_at is None else "done",
        "sha256": upload.sha256,
        "size_bytes": upload.size_bytes,
        "part_size_bytes": upload.part_size_bytes,
        "parts": upload.parts,
        "here": [{"number": number, "size_bytes": here[number].size_bytes} for number in sorted(here)],
        "is_direct": bool(upload.multipart_id),
        "expires_at": upload.expires_at,
    }
    return dict(UploadShown(facts).data)


def nothing_to_send(wanted: uploads.Wanted) -> dict[str, Any]:
    """Show that the bytes are here."""
    unset = dict.fromkeys(("id", "part_size_bytes", "expires_at"))
    facts = {"state": "done", "sha256": wanted.sha256, "size_bytes": wanted.size_bytes, "parts": 0, "here": []}
    return dict(UploadShown(unset | facts | {"is_direct": False}).data)


def signed_part(request: Request, number: int, signed: Signed) -> dict[str, Any]:
    """Show where a part is to be PUT; a word that we signed becomes an address of ours."""
    url, headers = signed.url, signed.headers
    if "://" not in url:
        url = request.build_absolute_uri(f"/api/v1/uploads/parts/{url}/")
        headers = {TENANT_HEADER: this_tenant().slug}
    return {"number": number, "url": url, "headers": headers, "seconds": SIGNED_SECONDS}


def own(request: Request, upload: uuid.UUID) -> Upload:
    """Fetch an upload of who asks. Raises NotFound."""
    return uploads.fetch(upload, owner=contents.owner_of(asking(request)), now=timezone.now())


class MissingBlobs(APIView):
    """Which bytes are to be sent."""

    required_role = "contributor"

    @extend_schema(operation_id="blobs_missing", request=DigestsAsked, responses=DigestsMissing)
    def post(self, request: Request) -> Response:
        """Tell which of up to 1,000 digests are of bytes that you can't name yet. Nothing is changed."""
        asked = DigestsAsked(data=request.data)
        asked.is_valid(raise_exception=True)
        return Response({"missing": contents.missing(asking(request), asked.validated_data["digests"])})


class UploadList(APIView):
    """Large files in parts."""

    required_role = "contributor"

    @extend_schema(operation_id="uploads_create", request=UploadNew, responses={200: UploadShown, 201: UploadShown})
    def post(self, request: Request) -> Response:
        """Begin an upload, or go on with your own of the same content: 200. It is given up after 24 hours."""
        asked = UploadNew(data=request.data)
        asked.is_valid(raise_exception=True)
        wanted = uploads.Wanted(**asked.validated_data)
        upload, is_new = contents.begin(wanted, by=asking(request), now=timezone.now())
        return Response(nothing_to_send(wanted) if upload is None else shown(upload), status=201 if is_new else 200)


class UploadDetail(APIView):
    """One upload of one's own."""

    required_role = {"GET": "contributor", "DELETE": "contributor"}

    @extend_schema(operation_id="uploads_get", responses=UploadShown)
    def get(self, request: Request, upload: uuid.UUID) -> Response:
        """Tell which parts have arrived."""
        return Response(shown(own(request, upload)))

    @extend_schema(operation_id="uploads_delete", responses={204: None})
    def delete(self, request: Request, upload: uuid.UUID) -> Response:
        """Give an upload up and throw its parts away. What it has become already stays."""
        uploads.discard(own(request, upload))
        return Response(status=204)


class UploadParts(APIView):
    """Addresses of an upload's parts."""

    required_role = "contributor"

    @extend_schema(operation_id="uploads_parts", request=PartsNew, responses=PartsSigned)
    def post(self, request: Request, upload: uuid.UUID) -> Response:
        """Get addresses where parts are PUT, each with its length and its sha256. They hold an hour; ask again as you like."""
        asked = PartsNew(data=request.data)
        asked.is_valid(raise_exception=True)
        digests = {part["number"]: part["sha256"] for part in asked.validated_data["parts"]}
        signed = uploads.sign(own(request, upload), digests)
        return Response({"parts": [signed_part(request, number, one) for number, one in signed.items()]})


class UploadCommit(APIView):
    """The end of an upload."""

    required_role = "contributor"

    @extend_schema(operation_id="uploads_commit", request=None, responses={200: BlobShown, 201: BlobShown})
    def post(self, request: Request, upload: uuid.UUID) -> Response:
        """Make the parts one file, which a version may name within a day.

        The whole is read and digested first. Missing parts are 409 `parts_missing`; other bytes than were promised are
        409 `digest_mismatch`, which ends the upload. Again it answers 200.
        """
        found = own(request, upload)
        blob, is_first = contents.commit(found, by=asking(request), now=timezone.now())
        return Response(BlobShown(blob).data, status=201 if is_first else 200)


@public_route("the address itself was signed for one part of one upload of the tenant, for an hour")
class PartUpload(APIView):
    """A part that comes through the web server."""

    authentication_classes = ()
    parser_classes = ()

    @extend_schema(
        operation_id="uploads_part_put",
        request={"application/octet-stream": OpenApiTypes.BINARY},
        responses={200: None},
        auth=[],
    )
    def put(self, request: Request, word: str) -> Response:
        """Send a part with Content-Length, to an address that you were given. Other bytes than it is for are 409."""
        this_tenant()
        upload = read_upload(request._request)
        sha256 = uploads.take(word, upload.chunks, upload.size_bytes, now=timezone.now())
        return Response(headers={"ETag": f'"{sha256}"'})
