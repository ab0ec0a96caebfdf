"""The bench's own: one large file straight into a bucket, by boto3 and by maestro-ci, in parts of the same size."""

import argparse
import hashlib
import importlib.util
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
from boto3.s3.transfer import TransferConfig
from botocore.config import Config

from bench.load.files import PIECE, Done, watched
from bench.load.targets import Target
from tests.servers import S3Server
from tests.web import ROOT

PART_BYTES, AT_ONCE = 16 * 2**20, 4


def client_file() -> ModuleType:
    """Load maestro-ci, which is one file and no package."""
    found = importlib.util.spec_from_file_location("maestro_ci", ROOT / "docs" / "ci" / "maestro_ci.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def bucket_client(server: S3Server) -> Any:
    """A plain boto3 client."""
    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
        region_name=server.region,
        config=Config(s3={"addressing_style": "path"}),
    )


@contextmanager
def timed() -> Iterator[Done]:
    """Time what happens in this process."""
    done, begun, spent = Done(0, 0), time.perf_counter(), time.process_time()
    yield done
    done.seconds, done.cpu = time.perf_counter() - begun, time.process_time() - spent


def digest_of(path: Path) -> str:
    """What the file's sha256 is."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def by_boto3(server: S3Server, bucket: str, source: Path) -> tuple[Done, Done]:
    """Digest a file and upload it, each part with its SHA-256; then read it back and compare. Returns both times."""
    client, key = bucket_client(server), f"by-boto3/{time.time_ns()}"
    config = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=AT_ONCE)
    with timed() as sent:
        promised = digest_of(source)
        client.upload_file(str(source), bucket, key, Config=config, ExtraArgs={"ChecksumAlgorithm": "SHA256"})
    with timed() as read:
        found = hashlib.sha256()
        for piece in client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(PIECE):
            found.update(piece)
    if found.hexdigest() != promised:
        raise SystemExit("bench: the bucket holds other bytes")
    client.delete_object(Bucket=bucket, Key=key)
    return sent, read


def by_maestro_ci(target: Target, source: Path) -> tuple[Done, Done]:
    """Digest a file and send its parts; then have the server read and compare them. Returns both times."""
    client = client_file()
    os.environ["MAESTRO_TOKEN"] = target.token
    options = argparse.Namespace(url=target.url, tenant=None, insecure=False)
    with watched(target.pid) as sent:
        size, sha256 = client.digest_of_file(str(source))
        begun = client.ask_again(options, "/api/v1/uploads/", {"sha256": sha256, "size_bytes": size})
        client.send_parts(options, begun, str(source), size)
    with watched(target.pid) as committed:
        client.ask_again(options, f"/api/v1/uploads/{begun['id']}/commit/", None)
    return sent, committed
