"""The floor: large objects straight between a client and the bucket, by addresses that we sign and that soon end.

Nobody sees a multipart upload before it is completed. What never is costs its parts until it is aborted.

Source  AWS Signature Version 4, query parameters; SHA-256 of parts as in "Checking object integrity" of the S3 guide
"""

import base64
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from django.conf import settings

from maestro import staging, storage
from maestro.errors import Conflict, NotFound
from maestro.lazily import Lazily

if TYPE_CHECKING:
    from boto3 import session
    from botocore import config, exceptions
else:
    session, config, exceptions = Lazily("boto3.session"), Lazily("botocore.config"), Lazily("botocore.exceptions")

SIGNED_SECONDS: Final = 3_600
NUMBER_MAX: Final = 10_000
# Read while what came before is digested: together 16 MiB of memory.
PIECE_BYTES: Final = 4 * 2**20
PIECES_AHEAD: Final = 3
# What the bucket says when the parts are at fault, not the bucket.
REFUSED = ("InvalidPart", "InvalidPartOrder", "EntityTooSmall", "BadDigest", "InvalidRequest", "MalformedXML")


@dataclass(frozen=True)
class Part:
    """A part that has arrived."""

    number: int
    size_bytes: int
    etag: str
    sha256: str = ""


@dataclass(frozen=True)
class Signed:
    """An address that carries its own permission, and the headers that have to be sent along."""

    url: str
    headers: dict[str, str]


def is_offered() -> bool:
    """Say whether the bytes are in a bucket that clients reach themselves."""
    return bool(settings.S3_PUBLIC_ENDPOINT) and urlsplit(settings.STORAGE_URL).scheme == "s3"


@lru_cache(maxsize=4)
def client_for(endpoint: str | None, access_key: str | None, secret_key: str | None, region: str) -> Any:
    """Make a client that adds no checksums of its own: what is signed is what the caller says."""
    return session.Session().client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        region_name=region,
        config=config.Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


def client(*, is_public: bool = False) -> Any:
    """Take the client that speaks to the bucket, or the one that signs addresses for others."""
    known = settings.S3
    endpoint = settings.S3_PUBLIC_ENDPOINT if is_public else known["endpoint_url"]
    return client_for(endpoint, known["access_key"], known["secret_key"], known["region_name"])


def place(key: str) -> dict[str, str]:
    """Address an object."""
    store: Any = storage.backend()
    return {"Bucket": store.bucket_name, "Key": staging.located(store, key)}


def begin(key: str, *, is_checked: bool) -> str:
    """Begin an upload and return the bucket's name for it. With `is_checked` each part has to bring its sha256."""
    algorithm = {"ChecksumAlgorithm": "SHA256"} if is_checked else {}
    with staging.translated():
        return str(client().create_multipart_upload(**place(key), **algorithm)["UploadId"])


def sign_part(key: str, upload: str, number: int, *, size_bytes: int | None = None, sha256: str = "") -> Signed:
    """Sign the address of one part; a length and a digest that are given must be those of the bytes."""
    told: dict[str, Any] = {} if size_bytes is None else {"ContentLength": size_bytes}
    headers = {}
    if sha256:
        told["ChecksumSHA256"] = headers["x-amz-checksum-sha256"] = in_base64(sha256)
    asked = {**place(key), "UploadId": upload, "PartNumber": number, **told}
    url = client(is_public=True).generate_presigned_url("upload_part", Params=asked, ExpiresIn=SIGNED_SECONDS)
    return Signed(url, headers)


def sign_download(key: str) -> Signed:
    """Sign the address of an object, which a browser saves and never shows."""
    shown = {"ResponseContentDisposition": "attachment", "ResponseContentType": "application/octet-stream"}
    sign = client(is_public=True).generate_presigned_url
    return Signed(sign("get_object", Params={**place(key), **shown}, ExpiresIn=SIGNED_SECONDS), {})


def parts_of(key: str, upload: str) -> list[Part]:
    """List what has arrived; a part that was sent twice is there twice. Raises NotFound if the bucket knows no such upload."""
    with staging.translated():
        pages = client().get_paginator("list_parts").paginate(**place(key), UploadId=upload)
        rows = [row for page in pages for row in page.get("Parts", [])]
    rows.sort(key=lambda row: row["LastModified"])
    return [Part(row["PartNumber"], row["Size"], row["ETag"]) for row in rows]


def complete(key: str, upload: str, parts: Iterable[Part]) -> None:
    """Make one object of the parts. Raises Conflict if the bucket finds fault with them, NotFound, Unavailable."""
    asked = [
        {"PartNumber": part.number, "ETag": part.etag}
        | ({"ChecksumSHA256": in_base64(part.sha256)} if part.sha256 else {})
        for part in sorted(parts, key=lambda part: part.number)
    ]
    with staging.translated():
        try:
            client().complete_multipart_upload(**place(key), UploadId=upload, MultipartUpload={"Parts": asked})
        except exceptions.ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in REFUSED:
                raise Conflict(f"the bucket does not take these parts: {code}", "parts_refused") from error
            raise


def read_ahead(key: str, size_bytes: int) -> Iterator[bytes]:
    """Stream an object, some pieces asked for before they are needed. Raises NotFound, Unavailable."""
    asked: deque[Future[bytes]] = deque()
    with ThreadPoolExecutor(PIECES_AHEAD) as readers:
        for start in range(0, size_bytes, PIECE_BYTES):
            if len(asked) == PIECES_AHEAD:
                yield asked.popleft().result()
            asked.append(readers.submit(read_piece, key, start, min(start + PIECE_BYTES, size_bytes)))
        while asked:
            yield asked.popleft().result()


def read_piece(key: str, start: int, stop: int) -> bytes:
    """Read bytes start..stop (stop excluded) of an object."""
    with staging.translated():
        return bytes(client().get_object(**place(key), Range=f"bytes={start}-{stop - 1}")["Body"].read())


def abort(key: str, upload: str) -> None:
    """Throw the parts away; an upload that is gone is no error."""
    try:
        with staging.translated():
            client().abort_multipart_upload(**place(key), UploadId=upload)
    except NotFound:
        return


def unfinished() -> Iterator[tuple[str, str, float]]:
    """List the tenant's uploads that were begun and not completed: key, name, and when in seconds since the epoch."""
    root = storage.tenant_prefix()
    top = place(root)
    with staging.translated():
        pages = client().get_paginator("list_multipart_uploads").paginate(Bucket=top["Bucket"], Prefix=f"{top['Key']}/")
        for page in pages:
            for row in page.get("Uploads", []):
                key = f"{root}/{row['Key'].removeprefix(top['Key'] + '/')}"
                yield key, row["UploadId"], row["Initiated"].timestamp()


def in_base64(sha256: str) -> str:
    """Write a hex digest as S3 does."""
    return base64.b64encode(bytes.fromhex(sha256)).decode()
