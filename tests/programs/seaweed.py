"""A SeaweedFS of our own: an S3 server that verifies signatures and checksums as the real ones do."""

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from maestro.embedded.accounts import Account, give
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program

# Every port is given: those not given are the defaults plus 10000, which two servers would share.
PORTS = ("master", "volume", "filer", "s3")
REGION = "us-east-1"
RIGHTS = ["Admin", "Read", "Write", "List", "Tagging"]


@dataclass(frozen=True)
class S3Access:
    """Where an S3 server is, and the keys of the one who may do everything there."""

    endpoint: str
    access_key: str
    secret_key: str
    region: str = REGION
    read_seconds: float = 5

    def client(self) -> Any:
        """Return a boto3 client that fails fast: it is on this machine."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=self.access_key,
            aws_secret_access_key=self.secret_key,
            region_name=self.region,
            config=Config(connect_timeout=2, read_timeout=self.read_seconds, retries={"max_attempts": 0}),
        )


def program(
    binary: Path, folder: Path, *, ports: list[int], access: S3Access, log: Path, account: Account | None
) -> Program:
    """Return the server as a program. `ports` are eight: HTTP and gRPC of master, volume, filer and S3."""
    data = folder / "data"
    for path in (folder, data):
        path.mkdir(mode=0o700, exist_ok=True)
        give(path, account)
    settings = folder / "s3.json"
    settings.touch(mode=0o600)
    keys = {"accessKey": access.access_key, "secretKey": access.secret_key}
    identity = {"name": "maestro", "credentials": [keys], "actions": RIGHTS}
    settings.write_text(json.dumps({"identities": [identity]}))
    give(settings, account)
    options = ["server", f"-dir={data}", f"-ip={HOST}", f"-ip.bind={HOST}", "-filer", "-s3"]
    options += [f"-s3.config={settings}", "-master.volumeSizeLimitMB=256", "-volume.max=50", "-s3.iam=false"]
    options += ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    for number, name in enumerate(PORTS):
        options += [f"-{name}.port={ports[2 * number]}", f"-{name}.port.grpc={ports[2 * number + 1]}"]
    return Program(
        name="seaweedfs",
        command=[str(binary), *options],
        log=log,
        environment={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8", "TMPDIR": str(folder)},
        is_ready=lambda: stores(access),
        account=account,
        ready_seconds=90,
        # Asked politely it takes 12 s; its log is written through, so nothing is lost by not asking.
        stop_signal=signal.SIGKILL,
        stop_seconds=1,
        orphan_signal=signal.SIGKILL,
        litter=sockets(ports),
        note=f" on {access.endpoint}",
    )


def sockets(ports: list[int]) -> tuple[str, ...]:
    """Return the sockets that it puts in /tmp, whatever TMPDIR says, and leaves when killed."""
    names = zip([part for name in PORTS for part in (name, f"{name}-grpc")], ports, strict=True)
    return tuple(f"/tmp/seaweedfs-{name}-{port}.sock" for name, port in names)  # noqa: S108 its choice, not ours  # nosec B108


def stores(access: S3Access) -> bool:
    """True if an object can really be written: the health page says yes 3 s too early."""
    client = access.client()
    try:
        client.create_bucket(Bucket="readiness")
        client.put_object(Bucket="readiness", Key="probe", Body=b"ready")
        client.delete_object(Bucket="readiness", Key="probe")
        client.delete_bucket(Bucket="readiness")
    except (BotoCoreError, ClientError):
        return False
    return True
