"""Places for bytes: a folder, a bucket that only the server reaches, and one that clients reach themselves."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from maestro import multipart, staging, storage
from tests import servers

BUCKET = "blobs"
KINDS = ["folder", pytest.param("bucket", marks=pytest.mark.s3), pytest.param("direct", marks=pytest.mark.s3)]


def bucket_environment(prefix: str, *, is_direct: bool) -> dict[str, str]:
    """Make the bucket, and say by which settings it is used."""
    server = servers.start_s3()
    client = server.client()
    with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)
    return {
        "MAESTRO_STORAGE": f"s3://{BUCKET}/{prefix}",
        "MAESTRO_S3_ENDPOINT": server.endpoint,
        "MAESTRO_S3_ACCESS_KEY": server.access_key,
        "MAESTRO_S3_SECRET_KEY": server.secret_key,
        "MAESTRO_S3_REGION": server.region,
        "MAESTRO_S3_PUBLIC_ENDPOINT": server.endpoint if is_direct else " ",
    }


@contextmanager
def used(kind: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Keep bytes in a fresh place; gives the environment of a process that shall use it too."""
    if kind == "folder":
        values = {"MAESTRO_STORAGE": f"file://{folder}/blobs", "MAESTRO_S3_PUBLIC_ENDPOINT": " "}
    else:
        values = bucket_environment(f"{os.getpid()}/{folder.name}", is_direct=kind == "direct")
        names = ("endpoint_url", "access_key", "secret_key", "region_name")
        told = ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY", "REGION")
        place = {name: values[f"MAESTRO_S3_{word}"] for name, word in zip(names, told, strict=True)}
        monkeypatch.setattr(settings, "S3", place)
    monkeypatch.setattr(settings, "STORAGE_URL", values["MAESTRO_STORAGE"])
    monkeypatch.setattr(settings, "S3_PUBLIC_ENDPOINT", values["MAESTRO_S3_PUBLIC_ENDPOINT"].strip())
    storage.backend.cache_clear()
    yield values
    storage.backend.cache_clear()


def everything() -> list[str]:
    """The keys of all that the tenant has in the store, by prefix; parts in the bucket as `multipart`."""
    found: list[Any] = [one for prefix in ("staging", "blobs", "uploads") for one in staging.walk(prefix)]
    keys = [one.key.split("/", 2)[2] for one in found]
    return keys + [f"multipart {name}" for _, name, _ in multipart.unfinished()] if multipart.is_offered() else keys
