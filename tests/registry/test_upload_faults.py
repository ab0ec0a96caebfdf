"""Uploads in parts when two meet or the server is killed: nothing is lost, and nothing is seen by halves."""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.utils import timezone

from apps.registry.upkeep import sweeps
from apps.tenants.access.models import ApiKey
from apps.tenants.models import Tenant
from apps.tracking.files import blobs, parts, uploads
from apps.tracking.models import Blob, Experiment, Run, RunFile, Upload
from maestro import multipart, staging
from tests.factories import stores
from tests.web import WebServer, start_web

KeyFor = Callable[..., str]
ROOT = Path(__file__).resolve().parents[2]
PART = uploads.LEAST_PART_BYTES
BODY = os.urandom(PART + 99)
SHA256 = hashlib.sha256(BODY).hexdigest()
OWNER = "key:tester"
# A process that dies by `kill -9` in the middle of a commit: just before, in or after the last transaction.
COMMIT = """
import os, signal, sys, uuid
import django
django.setup()
from django.utils import timezone
from django_tenants.utils import tenant_context
from apps.tenants.models import Tenant
from apps.tracking.files import blobs, parts, uploads
from apps.tracking.models import Upload
where, slug, upload = sys.argv[1:]
def dying(plain, first):
    def call(*args, **kwargs):
        done = plain(*args, **kwargs) if first else None
        os.kill(os.getpid(), signal.SIGKILL)
    return call
if where == "before":
    parts.gather = dying(parts.gather, True)
if where == "inside":
    blobs.adopt = dying(blobs.adopt, True)
if where == "after":
    parts.drop = dying(parts.drop, False)
with tenant_context(Tenant.objects.get(slug=slug)):
    uploads.commit(Upload.objects.get(pk=uuid.UUID(upload)), now=timezone.now(), then=lambda blob: None)
"""
# And one that dies while it sweeps: before a row is gone for good, after that, or after its object is gone too.
SWEEP = """
import os, signal, sys
import django
django.setup()
from datetime import timedelta
from django.utils import timezone
from django_tenants.utils import tenant_context
from apps.registry.upkeep import sweeps
from apps.tenants.models import Tenant
where, slug = sys.argv[1:]
def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)
if where == "row":
    sweeps.blobs.hold = die
if where == "object":
    sweeps.staging.remove = die
if where == "next":
    plain, done = sweeps.drop_object, []
    sweeps.drop_object = lambda *args: die() if done else done.append(plain(*args))
with tenant_context(Tenant.objects.get(slug=slug)):
    sweeps.sweep(timezone.now() + timedelta(hours=25), dry_run=False)
"""


@pytest.fixture(params=stores.KINDS)
def store(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    test_environment: dict[str, str],
) -> Iterator[dict[str, str]]:
    """The environment of another process that works on the same rows and bytes."""
    with stores.used(request.param, tmp_path, monkeypatch) as values:
        yield test_environment | values


@pytest.fixture
def server(store: dict[str, str]) -> Iterator[WebServer]:
    """A web server of this store's own."""
    started = start_web(store)
    yield started
    started.stop()


def arrived() -> Upload:
    """An upload whose parts are all there."""
    now = timezone.now()
    key = {"name": "t", "role": "viewer", "digest": b"", "created_at": now, "expires_at": now + timedelta(days=1)}
    ApiKey.objects.get_or_create(pk=OWNER.removeprefix("key:"), defaults=key)
    upload, _ = uploads.begin(uploads.Wanted(SHA256, len(BODY), PART), owner=OWNER, now=now)
    pieces = {1: BODY[:PART], 2: BODY[PART:]}
    signed = uploads.sign(upload, {number: hashlib.sha256(piece).hexdigest() for number, piece in pieces.items()})
    for number, piece in pieces.items():
        if upload.multipart_id:
            answer = requests.put(signed[number].url, data=piece, headers=signed[number].headers, timeout=60)
            assert answer.status_code == 200, answer.content
        else:
            uploads.take(signed[number].url, [piece], len(piece), now=now)
    return Upload.objects.get(pk=upload.pk)


def let_die(store: dict[str, str], program: str, *args: str) -> None:
    """Run a program that kills itself."""
    command = [sys.executable, "-c", program, *args]
    died = subprocess.run(command, cwd=ROOT, env=os.environ | store, capture_output=True, text=True, check=False)
    assert died.returncode == -signal.SIGKILL, died.stderr


@pytest.mark.parametrize("where", ["before", "inside", "after"])
def test_a_commit_that_was_killed_is_done_again(committed: Tenant, store: dict[str, str], where: str) -> None:
    upload = arrived()
    let_die(store, COMMIT, where, committed.slug, str(upload.pk))
    now = timezone.now()
    found = uploads.fetch(upload.pk, owner=OWNER, now=now)
    assert (found.done_at is not None) is (where == "after")
    blob, is_first = uploads.commit(found, now=now, then=lambda blob: None)
    assert (is_first, blob.sha256, b"".join(blobs.read(blob)) == BODY) == (where != "after", SHA256, True)
    assert uploads.expire(now + timedelta(hours=25)) == 1
    assert stores.everything() == [blob.storage_key]
    assert Blob.objects.count() == 1


def test_killed_and_never_done_again_it_costs_nothing_after_a_day(committed: Tenant, store: dict[str, str]) -> None:
    upload = arrived()
    parts.gather(upload)
    assert uploads.expire(timezone.now() + timedelta(hours=25)) == 1
    sweeps.sweep(timezone.now() + timedelta(hours=25), dry_run=False)
    assert (stores.everything(), Blob.objects.count(), Upload.objects.count()) == ([], 0, 0)


def test_of_many_commits_at_once_one_does_it_and_all_are_told_so(
    committed: Tenant, server: WebServer, key_for: KeyFor
) -> None:
    headers = {"Authorization": f"Bearer {key_for(committed)}"}
    base = f"{server.url}/api/v1/uploads/"
    asked = {"sha256": SHA256, "size_bytes": len(BODY), "part_size_bytes": PART}
    begun = requests.post(base, json=asked, headers=headers, timeout=60).json()
    pieces = [BODY[:PART], BODY[PART:]]
    told = [{"number": n, "sha256": hashlib.sha256(piece).hexdigest()} for n, piece in enumerate(pieces, 1)]
    answer = requests.post(f"{base}{begun['id']}/parts/", json={"parts": told}, headers=headers, timeout=60)
    for part in answer.json()["parts"]:
        url = urlsplit(part["url"])
        assert url.hostname in ("localhost", "127.0.0.1")
        put = requests.put(part["url"], data=pieces[part["number"] - 1], headers=part["headers"], timeout=60)
        assert put.status_code == 200, put.content

    def commit(_: int) -> int:
        return requests.post(f"{base}{begun['id']}/commit/", headers=headers, timeout=120).status_code

    with ThreadPoolExecutor(6) as pool:
        codes = sorted(pool.map(commit, range(6)))
    assert codes == [200] * 5 + [201]
    blob = Blob.objects.get()
    assert b"".join(blobs.read(blob)) == BODY
    assert stores.everything() == [blob.storage_key]


@pytest.mark.parametrize("when", ["listed", "completed"])
@pytest.mark.s3
def test_a_commit_that_another_has_just_overtaken_goes_on_with_its_object(
    committed: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, when: str
) -> None:
    """The other one has made the object and has not said so yet: nothing is lost, and the upload is not given up."""
    with stores.used("direct", tmp_path, monkeypatch):
        upload = arrived()
        make, choose = multipart.complete, parts.chosen
        others: list[None] = []

        def overtaken(*args: Any) -> Any:
            if not others:
                others.append(None)
                make(blobs.place_of(upload.storage_key), upload.multipart_id, choose(upload, None))
            return choose(*args) if when == "listed" else make(*args)

        late = "apps.tracking.files.parts.chosen" if when == "listed" else "maestro.multipart.complete"
        monkeypatch.setattr(late, overtaken)
        blob, is_done = uploads.commit(upload, now=timezone.now(), then=lambda blob: None)
        assert (is_done, blob.sha256, Upload.objects.exclude(done_at=None).count()) == (True, SHA256, 1)
        assert b"".join(blobs.read(blob)) == BODY


@pytest.mark.parametrize(("where", "rows_left"), [("row", 4), ("object", 3), ("next", 2)])
def test_a_sweep_that_was_killed_is_made_good_by_the_next(
    committed: Tenant, store: dict[str, str], where: str, rows_left: int
) -> None:
    experiment = Experiment.objects.create(name="e", created_ms=1, updated_ms=1)
    named = blobs.store_text("named")
    RunFile.objects.create(
        run=Run.objects.create(experiment=experiment, name="r", start_ms=1, last_write_ms=1), path="a", blob=named
    )
    for text in ("one", "two", "three"):
        blobs.store_text(text)
    let_die(store, SWEEP, where, committed.slug)
    assert Blob.objects.count() == rows_left
    for blob in Blob.objects.all():
        assert staging.size_of(blobs.place_of(blob.storage_key)) == blob.size_bytes, "a row without its bytes"
    sweeps.sweep(timezone.now() + timedelta(hours=25), dry_run=False)
    assert (list(Blob.objects.all()), b"".join(blobs.read(named))) == ([named], b"named")
    assert stores.everything() == [named.storage_key]
