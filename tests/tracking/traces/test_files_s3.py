"""Spans of traces in a bucket: up through the file proxy, down again, and on the trace's page."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import boto3
import pytest
from django.conf import settings
from django.test import Client

from apps.tracking.models import Blob
from maestro import storage
from tests import servers
from tests.factories.door import Door
from tests.factories.traces import PROXY, V3, call, start

pytestmark = pytest.mark.s3


@pytest.fixture
def bucket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[str]]]:
    """Bytes go to a bucket of the suite's S3 server; call it for the keys that are there."""
    server = servers.start_s3()
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    client = boto3.client("s3", endpoint_url=server.endpoint, region_name=server.region, **keys)
    with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket="blobs")
    access = {"access_key": server.access_key, "secret_key": server.secret_key}
    place = {"endpoint_url": server.endpoint, "region_name": server.region, **access}
    prefix = f"traces-{os.getpid()}/{tmp_path.name}"
    monkeypatch.setattr(settings, "STORAGE_URL", f"s3://blobs/{prefix}")
    monkeypatch.setattr(settings, "S3", place)
    storage.backend.cache_clear()
    yield lambda: [str(row["Key"]) for row in client.list_objects_v2(Bucket="blobs", Prefix=prefix).get("Contents", [])]
    storage.backend.cache_clear()


def test_spans_in_a_bucket_come_back_by_every_door(
    bucket: Callable[[], list[str]], door: Door, person: Callable[[str], Client]
) -> None:
    start(door, "tr-1")
    span = {"span_id": "AAAAAAAAAAE=", "name": "kept in a bucket", "start_time_unix_nano": 5, "end_time_unix_nano": 9}
    body = json.dumps({"spans": [span]}).encode()
    path = f"{PROXY}0/traces/tr-1/artifacts/traces.json"
    assert door.client.put(path, body).status_code == 200
    sha256 = Blob.objects.get().sha256
    assert any(key.endswith(sha256) for key in bucket())
    assert door.client.get(path).getvalue() == body
    (told,) = call(door, "GET", V3 + "traces/get?trace_id=tr-1")[1]["trace"]["spans"]
    assert told["name"] == "kept in a bucket"
    assert "kept in a bucket" in person("viewer").get("/admin/tracking/trace/tr-1/change/").content.decode()
    assert door.client.put(path, b'{"spans": []}').status_code == 200
    assert call(door, "GET", V3 + "traces/get?trace_id=tr-1")[1]["trace"].get("spans", []) == []
