"""Suspending, opening and erasing a tenant, by command and while work goes on in it (F14)."""

import json
import os
import threading
import time
import uuid
from collections.abc import Iterator
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import boto3
import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import close_old_connections
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants import ending, provisioning, routing
from apps.tenants.access.models import ApiKey
from apps.tenants.models import Domain, Job, Tenant
from apps.tracking.files import blobs
from maestro import clearing, storage
from maestro.database.session import connection
from maestro.tasks import tenant_task
from tests import servers

PUBLIC_ROWS = """SELECT (SELECT count(*) FROM public.auth_user), (SELECT count(*) FROM public.django_session),
  (SELECT count(*) FROM public.auth_group), (SELECT count(*) FROM information_schema.tables WHERE table_schema = 'public')"""


@pytest.fixture
def doomed(committed: Tenant) -> Iterator[Tenant]:
    """A tenant to be erased, beside one that stays."""
    connection.set_schema_to_public()
    tenant = provisioning.create(f"doomed-{uuid.uuid4().hex[:8]}")
    yield tenant
    connection.set_schema_to_public()
    if Tenant.objects.filter(pk=tenant.pk).exists():
        provisioning.erase(tenant.slug)


def run(name: str, *args: str, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command(name, *args, output="json", stdout=out, stderr=StringIO(), **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer


def refused(name: str, *args: str, **options: Any) -> int:
    with pytest.raises(CommandError) as refusal:
        run(name, *args, **options)
    return refusal.value.returncode


def exists(schema: str) -> tuple[bool, bool]:
    """Whether there is a schema, and its role."""
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        found = owner.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [schema]).fetchone()
        role = owner.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [f"tenant_{schema}"]).fetchone()
    return found is not None, role is not None


def test_a_suspended_tenant_is_closed_and_opens_as_it_was(doomed: Tenant, key_for: Any) -> None:
    key = key_for(doomed)
    client = Client(headers={"host": f"{doomed.slug}.localhost", "authorization": f"Bearer {key}"})
    assert client.get("/api/v1/projects/").status_code == 200
    assert run("suspend_tenant", doomed.slug, yes=True)["state"] == "suspended"
    assert run("suspend_tenant", doomed.slug, yes=True)["state"] == "suspended"
    routing.forget()
    assert client.get("/api/v1/projects/").json()["code"] == "tenant_suspended"
    assert run("resume_tenant", doomed.slug)["state"] == "active"
    routing.forget()
    assert client.get("/api/v1/projects/").status_code == 200
    connection.set_schema_to_public()
    assert list(Job.objects.filter(tenant=doomed).order_by("created_at").values_list("kind", flat=True)) == [
        "suspend_tenant",
        "resume_tenant",
    ]


def test_erasing_asks_twice_and_says_first_what_would_go(doomed: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    place = f"{storage.prefix_of(doomed.id)}/blobs/aa/x"
    storage.backend().save(place, ContentFile(b"12345"))
    told = run("erase_tenant", doomed.slug)
    assert (told["erased"], told["objects"], told["object_bytes"], told["state"]) == (False, 1, 5, "active")
    assert told["tables"] > 20
    assert refused("erase_tenant", "no-such-tenant") == 4
    assert refused("erase_tenant", doomed.slug, execute=True) == 2
    assert refused("erase_tenant", doomed.slug, execute=True, yes=True) == 5
    assert exists(doomed.schema_name) == (True, True)
    run("suspend_tenant", doomed.slug, yes=True)
    monkeypatch.setattr(ending, "erase", lambda *_, **__: pytest.fail("the wrong name was typed"))
    typed = StringIO("another\n")
    typed.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr("sys.stdin", typed)
    assert refused("erase_tenant", doomed.slug, execute=True) == 2
    assert storage.backend().exists(place)


def test_an_erased_tenant_leaves_nothing_and_its_neighbour_stands(
    doomed: Tenant, committed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = storage.backend()
    place, theirs = (f"{storage.prefix_of(one.id)}/blobs/aa/x" for one in (doomed, committed))
    for key in (place, theirs):
        store.save(key, ContentFile(b"12345"))
    ending.suspend(doomed.slug, by="test")
    monkeypatch.setattr(ending.erase, "__kwdefaults__", {"settle_seconds": 0.05})
    done = run("erase_tenant", doomed.slug, execute=True, yes=True)
    assert (done["erased"], done["objects"], done["object_bytes"]) == (True, 1, 5)
    assert exists(doomed.schema_name) == (False, False)
    connection.set_schema_to_public()
    assert not Domain.objects.filter(domain__startswith=doomed.slug).exists()
    assert Job.objects.get(kind="erase_tenant", message__startswith=doomed.slug).state == "done"
    assert not Path(store.path(storage.prefix_of(doomed.id))).exists()
    assert store.exists(theirs)
    store.delete(theirs)
    assert refused("erase_tenant", doomed.slug, execute=True, yes=True) == 4


def slow(go: threading.Event, arrived: threading.Event) -> Iterator[bytes]:
    """An upload that waits in the middle."""
    yield b"first half"
    arrived.set()
    assert go.wait(60)
    yield b"second half"


def test_a_tenant_erased_at_work_fails_its_tasks_and_leaves_no_byte_and_no_public_row(
    doomed: Tenant, committed: Tenant
) -> None:
    go, uploading, working = threading.Event(), threading.Event(), threading.Event()
    ended: dict[str, Any] = {}

    @tenant_task(name=f"tests.work.{uuid.uuid4().hex}", autoretry_for=())
    def work() -> None:
        for number in range(100_000):
            User.objects.create_user(f"made-{number}")
            ApiKey.objects.filter(pk="none").exists()
            working.set()
            time.sleep(0.01)

    def task() -> None:
        ended["task"] = work.apply(kwargs={"schema": doomed.schema_name})
        close_old_connections()
        connection.close()

    def upload() -> None:
        try:
            with tenant_context(doomed):
                blobs.store(slow(go, uploading))
        except Exception as error:  # noqa: BLE001 which one is asked below
            ended["upload"] = error
        connection.close()

    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute(PUBLIC_ROWS)
        before = cursor.fetchone()
    threads = [threading.Thread(target=task), threading.Thread(target=upload)]
    for thread in threads:
        thread.start()
    assert working.wait(60)
    assert uploading.wait(60)
    ending.suspend(doomed.slug, by="test")
    ending.erase(doomed.slug, by="test", settle_seconds=0.2)
    go.set()
    for thread in threads:
        thread.join(60)
    assert ended["task"].state == "FAILURE", ended["task"]
    assert isinstance(ended["upload"], Exception)
    assert exists(doomed.schema_name) == (False, False)
    left = Path(storage.backend().path(storage.prefix_of(doomed.id)))
    assert [path for path in left.rglob("*") if path.is_file()] == []
    connection.set_schema_to_public()
    with connection.cursor() as cursor:
        cursor.execute(PUBLIC_ROWS)
        assert cursor.fetchone() == before
    with tenant_context(committed):
        assert not User.objects.filter(username__startswith="made-").exists()


@pytest.mark.s3
def test_a_bucket_is_cleared_below_the_prefix_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    server = servers.start_s3()
    keys = {"aws_access_key_id": server.access_key, "aws_secret_access_key": server.secret_key}
    client = boto3.client("s3", endpoint_url=server.endpoint, region_name=server.region, **keys)
    bucket = f"ending-{os.getpid()}"
    client.create_bucket(Bucket=bucket)
    named = {"endpoint_url": server.endpoint, "region_name": server.region}
    s3 = named | {"access_key": server.access_key, "secret_key": server.secret_key}
    monkeypatch.setattr(settings, "S3", s3)
    monkeypatch.setattr(settings, "STORAGE_URL", f"s3://{bucket}/below")
    storage.backend.cache_clear()
    mine, other = storage.prefix_of(uuid.uuid4()), storage.prefix_of(uuid.uuid4())
    try:
        for key in (f"{mine}/a", f"{mine}/b/c", f"{other}/a"):
            client.upload_fileobj(BytesIO(b"1234"), bucket, f"below/{key}")
        client.create_multipart_upload(Bucket=bucket, Key=f"below/{mine}/unfinished")
        assert clearing.clear(mine) == clearing.Heap(2, 8)
        assert clearing.weigh(mine) == clearing.Heap()
        assert clearing.weigh(other) == clearing.Heap(1, 4)
        unfinished = client.list_multipart_uploads(Bucket=bucket).get("Uploads", [])
        assert unfinished == []
    finally:
        storage.backend.cache_clear()


@pytest.mark.parametrize("prefix", ["", "tenants", "tenants/", "tenants/../..", "/", "tenants/short"])
def test_only_a_tenants_prefix_is_ever_cleared(prefix: str) -> None:
    with pytest.raises(ValueError, match="no tenant's prefix"):
        clearing.clear(prefix)
