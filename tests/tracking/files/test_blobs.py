"""Bytes by their digest: the same rules on a folder and in a bucket."""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from django.conf import settings
from django.db import DatabaseError, transaction
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Blob
from maestro import staging, storage
from maestro.errors import Conflict, Invalid, NotFound, StorageFull, TooLarge, Unavailable
from tests import servers


@pytest.fixture(params=["folder", pytest.param("bucket", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A fresh place for bytes, of either kind."""
    if request.param == "bucket":
        server = servers.start_s3()
        keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
        client = boto3.client("s3", endpoint_url=server.endpoint, region_name=server.region, **keys)
        with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket="blobs")
        place = {
            "endpoint_url": server.endpoint,
            "access_key": server.access_key,
            "secret_key": server.secret_key,
            "region_name": server.region,
        }
        monkeypatch.setattr(settings, "STORAGE_URL", f"s3://blobs/{os.getpid()}/{tmp_path.name}")
        monkeypatch.setattr(settings, "S3", place)
    else:
        monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path}/blobs")
    storage.backend.cache_clear()
    yield request.param
    storage.backend.cache_clear()


def pieces(body: bytes, size: int = 70_000) -> Iterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


def everything() -> list[str]:
    return [found.key.split("/", 2)[2] for prefix in ("staging", "blobs") for found in staging.walk(prefix)]


@pytest.mark.parametrize("size", [0, 1, 70_000, 9 * 2**20])
def test_bytes_come_back_as_they_went_in(acme: Tenant, store: str, size: int) -> None:
    body = os.urandom(size)
    sha256 = hashlib.sha256(body).hexdigest()
    blob, is_new = blobs.store(pieces(body), blobs.Promise(size, sha256))
    assert (blob.sha256, blob.size_bytes, is_new) == (sha256, size, True)
    assert b"".join(blobs.read(blob)) == body
    assert everything() == [f"blobs/{sha256[:2]}/{sha256}"]


def test_equal_bytes_are_kept_once(acme: Tenant, store: str) -> None:
    first, new = blobs.store([b"same"])
    second, again = blobs.store([b"sa", b"me"])
    assert (first, new, again) == (second, True, False)
    assert (Blob.objects.count(), len(everything())) == (1, 1)


def test_a_part_can_be_read_by_range(acme: Tenant, store: str) -> None:
    body = os.urandom(300_000)
    blob, _ = blobs.store([body])
    assert b"".join(blobs.read(blob, 1000, 250_000)) == body[1000:250_000]


@pytest.mark.parametrize(
    ("promise", "refusal"),
    [
        (blobs.Promise(10), Invalid),
        (blobs.Promise(3), Invalid),
        (blobs.Promise(4, "0" * 64), Conflict),
    ],
)
def test_bytes_that_break_their_promise_leave_nothing(
    acme: Tenant, store: str, promise: blobs.Promise, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        blobs.store([b"four"], promise)
    assert not Blob.objects.exists()
    assert everything() == []


def test_a_stream_that_breaks_in_the_middle_leaves_nothing(acme: Tenant, store: str) -> None:
    def broken() -> Iterator[bytes]:
        yield b"x" * 100_000
        raise Invalid("the other side went away", "gone")

    with pytest.raises(Invalid, match="went away"):
        blobs.store(broken())
    assert not Blob.objects.exists()
    assert everything() == []


def test_more_bytes_than_a_file_may_have_are_refused(acme: Tenant, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs.limits, "FILE_BYTES", 1000)
    with pytest.raises(TooLarge):
        blobs.store([b"x" * 600, b"x" * 600])
    assert everything() == []


def test_a_row_that_can_not_be_written_leaves_only_what_a_sweep_finds(acme: Tenant, store: str) -> None:
    def store_and_die() -> None:
        with transaction.atomic():
            blobs.store([b"lost"])
            raise DatabaseError("the connection died before the commit")

    with pytest.raises(DatabaseError):
        store_and_die()
    assert not Blob.objects.exists()
    blob, is_new = blobs.store([b"lost"])
    assert (is_new, b"".join(blobs.read(blob))) == (True, b"lost")


def test_bytes_that_the_store_lost_are_not_found(acme: Tenant, store: str) -> None:
    blob, _ = blobs.store([b"here"])
    staging.remove(f"{storage.tenant_prefix()}/{blob.storage_key}")
    with pytest.raises(NotFound):
        b"".join(blobs.read(blob))
    assert blobs.store([b"here"]) == (blob, False)
    assert b"".join(blobs.read(blob)) == b"here"


def test_each_tenant_has_its_own_place(acme: Tenant, globex: Tenant, store: str) -> None:
    with tenant_context(acme):
        theirs, _ = blobs.store([b"secret of acme"])
    assert everything() == []
    with pytest.raises(NotFound):
        b"".join(blobs.read(theirs))
    mine, is_new = blobs.store([b"secret of acme"])
    assert is_new
    assert mine.sha256 == theirs.sha256


def test_a_full_disk_is_said_as_such_and_leaves_nothing(
    acme: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path}/blobs")
    storage.backend.cache_clear()

    def full(handle: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(staging.os, "fsync", full)
    with pytest.raises(StorageFull):
        blobs.store([b"x" * 1000])
    monkeypatch.undo()
    storage.backend.cache_clear()
    assert [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()] == []


def test_a_store_that_is_away_is_an_outage(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    gone: dict[str, Any] = {"endpoint_url": "http://127.0.0.1:9", "access_key": "a", "secret_key": "b"}
    monkeypatch.setattr(settings, "STORAGE_URL", "s3://nowhere")
    monkeypatch.setattr(settings, "S3", gone | {"region_name": "us-east-1"})
    storage.backend.cache_clear()
    with pytest.raises(Unavailable):
        blobs.store([b"x"])
    storage.backend.cache_clear()
    assert not Blob.objects.exists()
