"""Large files in parts: the same calls whether parts go straight into the bucket or through the web server."""

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.registry.upkeep import sweeps
from apps.tenants.access.models import ApiKey
from apps.tenants.models import Tenant
from apps.tracking.files import blobs, parts, uploads
from apps.tracking.models import Blob, Offer, Project, Upload
from maestro import limits, multipart, staging, storage
from tests.factories import stores
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
V1 = "/api/v1/"
PART = 5 * 2**20
BODY = os.urandom(2 * PART + 1_234)


@pytest.fixture(params=stores.KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Which way parts go."""
    with stores.used(request.param, tmp_path, monkeypatch):
        yield request.param


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def pieces(body: bytes) -> list[bytes]:
    return [body[start : start + PART] for start in range(0, len(body), PART)]


@dataclass
class Sender:
    """A client that sends a file as the description of the API says."""

    client: Client
    body: bytes = BODY

    def begin(self, **more: Any) -> Any:
        asked = {"sha256": digest(self.body), "size_bytes": len(self.body), "part_size_bytes": PART}
        return send(self.client, "post", f"{V1}uploads/", asked | more)

    def sign(self, upload: str, *numbers: int) -> list[dict[str, Any]]:
        asked = [{"number": n, "sha256": digest(pieces(self.body)[n - 1])} for n in numbers]
        answer = send(self.client, "post", f"{V1}uploads/{upload}/parts/", {"parts": asked})
        assert answer.status_code == 200, answer.content
        return list(answer.json()["parts"])

    def put(self, part: dict[str, Any], data: bytes | None = None) -> int:
        """PUT one part, without any key, wherever its address leads."""
        data = pieces(self.body)[part["number"] - 1] if data is None else data
        address = urlsplit(part["url"])
        if address.path.startswith(V1):
            named = {name.lower(): value for name, value in part["headers"].items()}
            stranger = Client(headers={"host": "localhost"} | named)
            return int(stranger.put(address.path, data, content_type="application/octet-stream").status_code)
        return requests.put(part["url"], data=data, headers=part["headers"], timeout=60).status_code

    def send_parts(self, upload: str, *numbers: int) -> None:
        for part in self.sign(upload, *numbers):
            assert self.put(part) == 200

    def commit(self, upload: str) -> Any:
        return send(self.client, "post", f"{V1}uploads/{upload}/commit/")

    def look(self, upload: str) -> Any:
        return self.client.get(f"{V1}uploads/{upload}/")

    def all_of_it(self) -> str:
        upload = str(self.begin().json()["id"])
        self.send_parts(upload, *range(1, len(pieces(self.body)) + 1))
        return upload


@pytest.fixture
def sender(acme: Tenant, api: ApiFor, kind: str) -> Sender:
    return Sender(api(acme))


def numbers_here(answer: Any) -> list[int]:
    return [part["number"] for part in answer.json()["here"]]


def test_parts_out_of_order_and_twice_become_the_file(sender: Sender, kind: str) -> None:
    begun = sender.begin()
    assert (begun.status_code, begun.json()["parts"], begun.json()["is_direct"]) == (201, 3, kind == "direct")
    upload = begun.json()["id"]
    sender.send_parts(upload, 3, 1, 2, 1)
    assert not Blob.objects.exists()
    assert [sender.commit(upload).status_code for _ in range(3)] == [201, 200, 200]
    blob = Blob.objects.get()
    assert (blob.sha256, blob.size_bytes) == (digest(BODY), len(BODY))
    assert b"".join(blobs.read(blob)) == BODY
    assert stores.everything() == [blob.storage_key]
    files = {"files": [{"path": "large.bin", "sha256": blob.sha256}]}
    send(sender.client, "put", f"{V1}artifacts/big/", {"kind": "dataset"})
    assert send(sender.client, "post", f"{V1}artifacts/big/versions/", files, Idempotency_Key="k").status_code == 201
    assert sender.client.get(f"{V1}artifacts/big/versions/1/files/large.bin").getvalue() == BODY
    assert sender.begin().json() | {"id": None} == sender.begin().json()
    assert sender.begin().json()["state"] == "done"


def test_a_killed_client_goes_on_where_it_was(sender: Sender) -> None:
    upload = sender.begin().json()["id"]
    sender.send_parts(upload, 2)
    again = sender.begin()
    assert (again.status_code, again.json()["id"], numbers_here(again)) == (200, upload, [2])
    assert numbers_here(sender.look(upload)) == [2]
    early = sender.commit(upload)
    assert (early.status_code, early.json()["code"]) == (409, "parts_missing")
    assert "2 of 3 parts are missing: 1, 3" in early.json()["detail"]
    sender.send_parts(upload, 1, 3)
    assert sender.commit(upload).status_code == 201


def test_a_part_of_other_bytes_or_another_length_is_not_taken(sender: Sender) -> None:
    upload = sender.begin().json()["id"]
    (first,) = sender.sign(upload, 1)
    for wrong in (b"x" * PART, pieces(BODY)[0][:-1], pieces(BODY)[0] + b"x", b""):
        assert 400 <= sender.put(first, wrong) < 500
    assert numbers_here(sender.look(upload)) == []
    assert sender.put(first) == 200
    assert numbers_here(sender.look(upload)) == [1]


def test_a_whole_that_is_not_what_was_promised_leaves_nothing(sender: Sender) -> None:
    sender.body = b"a" * PART + b"b"
    promised = digest(b"other")
    upload = sender.begin(sha256=promised).json()["id"]
    sender.send_parts(upload, 1, 2)
    answer = sender.commit(upload)
    assert (answer.status_code, answer.json()["code"]) == (409, "digest_mismatch")
    assert (sender.commit(upload).status_code, sender.look(upload).status_code) == (404, 404)
    assert (Blob.objects.count(), Upload.objects.count(), stores.everything()) == (0, 0, [])


def test_given_up_or_forgotten_it_costs_nothing(sender: Sender) -> None:
    upload = sender.begin().json()["id"]
    sender.send_parts(upload, 1, 2, 3)
    late = sender.sign(upload, 1)[0]
    gone = sender.client.delete(f"{V1}uploads/{upload}/")
    assert (gone.status_code, sender.commit(upload).status_code, stores.everything()) == (204, 404, [])
    assert sender.put(late) == 404
    other = sender.all_of_it()
    assert uploads.expire(timezone.now() + timedelta(hours=23)) == 0
    assert uploads.expire(timezone.now() + timedelta(hours=25)) == 1
    assert (sender.look(other).status_code, Upload.objects.count(), stores.everything()) == (404, 0, [])


def test_what_was_made_whole_outlives_its_upload(sender: Sender) -> None:
    upload = sender.all_of_it()
    assert sender.commit(upload).status_code == 201
    assert uploads.expire(timezone.now() + timedelta(hours=25)) == 1
    blob = Blob.objects.get()
    assert stores.everything() == [blob.storage_key]
    assert sweeps.sweep(timezone.now() - timedelta(hours=1), dry_run=False) == sweeps.Swept()
    swept = sweeps.sweep(timezone.now() + timedelta(hours=1), dry_run=False)
    assert (swept.blobs, swept.orphans, stores.everything()) == (1, 0, [])


def test_bytes_that_are_here_already_are_kept_once(sender: Sender) -> None:
    upload = sender.all_of_it()
    blob, _ = blobs.store([BODY])
    assert sender.commit(upload).status_code == 201
    assert stores.everything() == [Blob.objects.get().storage_key] == [blob.storage_key]
    staging.remove(blobs.place_of(blob.storage_key))
    Blob.objects.all().delete()
    again = sender.all_of_it()
    assert sender.commit(again).status_code == 201
    staging.remove(blobs.place_of(Blob.objects.get().storage_key))
    assert blobs.store([BODY]) == (Blob.objects.get(), False)
    assert b"".join(blobs.read(Blob.objects.get())) == BODY


def test_an_upload_whose_row_was_never_written_is_swept(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    sender.all_of_it()
    monkeypatch.setattr(parts, "drop", lambda upload: None)
    Upload.objects.all().delete()
    assert len(stores.everything()) > 0
    assert sweeps.sweep(timezone.now() - timedelta(hours=1), dry_run=False).uploads == 0
    found = sweeps.sweep(timezone.now() + timedelta(hours=1), dry_run=True).uploads
    assert sweeps.sweep(timezone.now() + timedelta(hours=1), dry_run=False).uploads == found > 0
    assert stores.everything() == []


@pytest.mark.parametrize("kind", stores.KINDS[1:], indirect=True)
def test_a_store_that_is_away_in_commit_is_an_outage_and_nothing_is_lost(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, place = sender.all_of_it(), settings.S3
    monkeypatch.setattr(settings, "S3", place | {"endpoint_url": "http://127.0.0.1:9"})
    storage.backend.cache_clear()
    answer = sender.commit(upload)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_unavailable")
    monkeypatch.setattr(settings, "S3", place)
    storage.backend.cache_clear()
    assert not Blob.objects.exists()
    assert sender.commit(upload).status_code == 201


def test_other_people_do_not_find_it(acme: Tenant, api: ApiFor, sender: Sender) -> None:
    upload = sender.begin().json()["id"]
    other = Sender(api(acme, "admin"))
    assert (other.look(upload).status_code, other.commit(upload).status_code) == (404, 404)
    assert other.client.delete(f"{V1}uploads/{upload}/").status_code == 404
    asked = {"parts": [{"number": 1, "sha256": "0" * 64}]}
    assert send(other.client, "post", f"{V1}uploads/{upload}/parts/", asked).status_code == 404
    assert other.begin().json()["id"] != upload


def test_of_another_projects_bytes_an_upload_tells_nothing(acme: Tenant, api: ApiFor, kind: str) -> None:
    mine, theirs = (Project.objects.create(slug=name, name=name) for name in ("mine", "theirs"))
    make_version(api(acme, project_id=theirs.pk), "secret", "secret of theirs")
    sender = Sender(api(acme, project_id=mine.pk), b"secret of theirs")
    known = digest(sender.body)
    ask = {"digests": [known, "0" * 64, known]}
    assert send(sender.client, "post", f"{V1}blobs/missing/", ask).json() == {"missing": [known, "0" * 64]}
    upload = sender.all_of_it()
    answer = sender.commit(upload)
    assert (answer.status_code, Blob.objects.count(), Offer.objects.count()) == (201, 1, 1)
    assert send(sender.client, "post", f"{V1}blobs/missing/", ask).json() == {"missing": ["0" * 64]}
    assert send(api(acme), "post", f"{V1}blobs/missing/", ask).json() == {"missing": ["0" * 64]}


REFUSED: list[tuple[str, Any]] = [
    ("blobs/missing/", {"digests": ["0" * 64] * (limits.DIGESTS_ASKED + 1)}),
    ("blobs/missing/", {"digests": []}),
    ("blobs/missing/", {"digests": ["0" * 63]}),
    ("blobs/missing/", {"digests": ["A" * 64]}),
    ("blobs/missing/", {"digests": "0" * 64}),
    ("blobs/missing/", {"digests": [None]}),
    ("uploads/", {"sha256": "0" * 64, "size_bytes": 0}),
    ("uploads/", {"sha256": "0" * 64, "size_bytes": limits.FILE_BYTES + 1}),
    ("uploads/", {"sha256": "../" + "0" * 61, "size_bytes": 1}),
    ("uploads/", {"sha256": "0" * 64, "size_bytes": 1, "part_size_bytes": 1}),
    ("uploads/", {"sha256": "0" * 64, "size_bytes": PART * 1_001, "part_size_bytes": PART}),
    ("uploads/", {"sha256": "0" * 64, "size_bytes": 1.5}),
    ("uploads/", {"sha256": "0" * 64}),
    ("uploads/", []),
]


@pytest.mark.parametrize(("path", "body"), REFUSED)
def test_what_makes_no_sense_is_refused(acme: Tenant, api: ApiFor, path: str, body: Any) -> None:
    answer = send(api(acme), "post", V1 + path, body)
    assert answer.status_code == 400, answer.content
    assert answer.json()["code"]
    assert not Upload.objects.exists()


def test_parts_that_there_are_not_or_that_change_are_refused(sender: Sender) -> None:
    upload = sender.begin().json()["id"]

    def ask(*told: tuple[int, str]) -> Any:
        body = {"parts": [{"number": number, "sha256": sha256} for number, sha256 in told]}
        answer = send(sender.client, "post", f"{V1}uploads/{upload}/parts/", body)
        return answer.status_code, answer.json().get("code")

    assert ask((4, "0" * 64)) == (400, "no_such_part")
    assert ask((0, "0" * 64))[0] == ask((1, "x"))[0] == ask()[0] == 400
    assert ask((1, "0" * 64))[0] == ask((1, "0" * 64))[0] == 200
    assert ask((2, "1" * 64), (1, "2" * 64)) == (409, "part_differs")
    assert Upload.objects.get().digests == {"1": "0" * 64}


def test_sizes_that_disagree_are_refused(sender: Sender) -> None:
    sender.begin()
    assert sender.begin(size_bytes=1).json()["code"] == "size_differs"
    blobs.store([BODY])
    assert sender.begin(size_bytes=1).json()["code"] == "size_differs"


def test_one_has_only_so_many_open(acme: Tenant, api: ApiFor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "UPLOADS_OPEN_PERSON", 2)
    client = api(acme)
    codes = [Sender(client, bytes([n])).begin().status_code for n in range(3)]
    assert codes == [201, 201, 409]
    assert Sender(api(acme), b"x").begin().status_code == 201


def test_the_default_part_fits_the_file() -> None:
    for size in (1, 16 * 2**20, 2**30, 17 * 2**30, limits.FILE_BYTES):
        part = uploads.Wanted("", size).part_bytes()
        assert part >= uploads.PART_BYTES
        assert -(-size // part) <= limits.UPLOAD_PARTS


def test_an_address_of_a_part_is_for_one_tenant_an_hour_and_an_open_upload(
    acme: Tenant, globex: Tenant, api: ApiFor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standing in the other tenant, as whoever took an address there would."""
    sender = Sender(api(acme))
    (first,) = sender.sign(sender.begin().json()["id"], 1)
    path = urlsplit(first["url"]).path

    def put(path: str, host: str = "acme.localhost", **headers: str) -> int:
        client = Client(headers={"host": host} | headers)
        return int(client.put(path, pieces(BODY)[0], content_type="application/octet-stream").status_code)

    assert put(path, "globex.localhost") == put(path, "localhost", **{"x-maestro-tenant": "globex"}) == 404
    assert put(path[:-5] + "aaaa/") == put(path.replace("parts/", "parts/x")) == 404
    assert put(path, "localhost") == 404
    monkeypatch.setattr(parts, "SIGNED_SECONDS", -1)
    assert put(path) == 404
    monkeypatch.undo()
    assert put(path) == 200
    assert put(f"{V1}uploads/parts/{uuid.uuid4()}/") == 404


def test_an_address_of_a_part_ends_with_the_key_that_asked_for_it(acme: Tenant, api: ApiFor) -> None:
    sender = Sender(api(acme))
    first, second = sender.sign(sender.begin().json()["id"], 1, 2)
    assert sender.put(first) == 200
    ApiKey.objects.get().revoke(timezone.now())
    assert (sender.put(second), sender.put(first)) == (404, 404)


def test_the_same_calls_are_described_alike(acme: Tenant, api: ApiFor, kind: str) -> None:
    shape = Sender(api(acme)).begin().json()
    assert json.dumps(shape)
    assert set(shape) == {
        "id",
        "state",
        "sha256",
        "size_bytes",
        "part_size_bytes",
        "parts",
        "here",
        "is_direct",
        "expires_at",
    }
    assert multipart.is_offered() == shape["is_direct"]
