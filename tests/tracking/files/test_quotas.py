"""A tenant and a project keep as many bytes as they may, whichever way more of them come, and not one byte more."""

import hashlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from apps.registry.models import Artifact, LoggedModelFile, VersionFile
from apps.tenants import routing
from apps.tenants.models import OperatorEvent, Tenant
from apps.tracking.files import blobs, parts, quotas, uploads, use
from apps.tracking.files.quotas import Share
from apps.tracking.models import Blob, Experiment, Export, Project, RunFile, StorageUse, TraceFile, Upload
from maestro.errors import Forbidden, QuotaReached
from maestro.multipart import Part
from maestro.principals import MAESTRO, Actor, Principal
from tests.factories import stores
from tests.factories.door import Door
from tests.factories.sending import make_version, send
from tests.factories.traces import PROXY, start

ApiFor = Callable[..., Client]
Way = Callable[["Place"], Any]
FULL, WIDE = 1_000, 10_000
BODY = b"x" * 600
SHA256 = hashlib.sha256(BODY).hexdigest()
BY = Actor("tester")


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with stores.used("folder", tmp_path, monkeypatch):
        yield


def bound(tenant: Tenant, quota_bytes: int | None) -> None:
    """Bound a tenant as `set_quota` does, and stand in it again."""
    with schema_context("public"):
        Tenant.objects.filter(pk=tenant.pk).update(quota_bytes=quota_bytes)
    tenant.quota_bytes = quota_bytes
    routing.forget()


class Place:
    """A tenant with a project that has one of everything that takes bytes."""

    def __init__(self, tenant: Tenant, client: Client) -> None:
        self.tenant, self.client, self.door, self.asked = tenant, client, Door(client), 0
        self.project = Project.objects.create(slug="churn", name="churn")
        experiment = self.door.experiment("churn")
        Experiment.objects.filter(pk=experiment).update(project=self.project)
        self.run = self.door.run(experiment)
        self.run_folder = f"{experiment}/{self.run}/artifacts"
        info = self.door.post("logged-models", {"experiment_id": experiment, "name": "m"})["model"]["info"]
        self.model_folder = f"{experiment}/models/{info['model_id']}/artifacts"
        start(self.door, "tr-1", experiment)
        self.trace_folder = f"{experiment}/traces/tr-1/artifacts"
        send(client, "put", "/api/v1/artifacts/encoder/", {"kind": "feature_pipeline", "project": "churn"})
        Artifact.objects.update(project=self.project)

    def proxied(self, folder: str) -> Any:
        return self.client.put(f"{PROXY}{folder}/a.bin", BODY, content_type="application/octet-stream")

    def version(self, file: dict[str, str]) -> Any:
        self.asked += 1
        body = {"files": [{"path": "a"} | file]}
        path = "/api/v1/artifacts/encoder/versions/"
        return send(self.client, "post", path, body, Idempotency_Key=f"version-{self.asked}")

    def kept(self) -> tuple[int, ...]:
        """How much of each there is, in rows and in the store."""
        rows = (RunFile, VersionFile, LoggedModelFile, TraceFile, Upload)
        return (*(model.objects.count() for model in rows), len(stores.everything()))


@pytest.fixture
def place(acme: Tenant, api: ApiFor) -> Place:
    return Place(acme, api(acme))


def begin(place: Place) -> Any:
    return send(place.client, "post", "/api/v1/uploads/", {"sha256": SHA256, "size_bytes": len(BODY)})


def parts_committed(place: Place) -> Any:
    """An upload that began while there was room, and ends when there is none."""
    quota, place_quota = place.tenant.quota_bytes, place.tenant
    bound(place_quota, None)
    made = begin(place).json()
    path = f"/api/v1/uploads/{made['id']}/"
    signed = send(place.client, "post", f"{path}parts/", {"parts": [{"number": 1, "sha256": SHA256}]}).json()["parts"][
        0
    ]
    word = signed["url"].partition("localhost")[2].partition("/")[2]
    place.client.put(f"/{word}", BODY, content_type="application/octet-stream", headers=signed["headers"])
    bound(place_quota, quota)
    return send(place.client, "post", f"{path}commit/")


def put_blob(place: Place) -> Any:
    return place.client.put(f"/api/v1/blobs/{SHA256}/", BODY, content_type="application/octet-stream")


INTO_TENANT: dict[str, Way] = {
    "a run's file": lambda place: place.proxied(place.run_folder),
    "a logged model's file": lambda place: place.proxied(place.model_folder),
    "a trace's file": lambda place: place.proxied(place.trace_folder),
    "bytes by digest": put_blob,
    "an upload begun": begin,
    "an upload committed": parts_committed,
    "an inline text": lambda place: place.version({"text": BODY.decode()}),
}
INTO_PROJECT = dict(list(INTO_TENANT.items())[:3]) | {"a version": lambda place: place.version({"sha256": SHA256})}


def numbers_in(answer: Any) -> None:
    """Each door says it in its own shape, with the numbers."""
    body = answer.json()
    assert answer.status_code == 507, body
    if "error_code" in body:
        assert body["error_code"] == "TEMPORARILY_UNAVAILABLE"
        assert "keeps 500 of the 1000 bytes that it may, and 600 more do not fit" in body["message"]
    else:
        told = (body["code"], body["used_bytes"], body["quota_bytes"], body["wanted_bytes"])
        assert told == ("quota_reached", 500, 1_000, 600)


@pytest.mark.parametrize("way", INTO_TENANT)
def test_no_way_leads_past_a_tenants_quota(place: Place, way: str) -> None:
    blobs.store_text("y" * 500)
    bound(place.tenant, FULL)
    before = place.kept()
    numbers_in(INTO_TENANT[way](place))
    assert (place.kept(), Blob.objects.count()) == (before, 1)
    bound(place.tenant, WIDE)
    assert INTO_TENANT[way](place).status_code in (200, 201)


@pytest.mark.parametrize("way", INTO_PROJECT)
def test_no_way_leads_past_a_projects_quota(place: Place, way: str) -> None:
    RunFile.objects.create(run_id=place.run, path="old", blob=blobs.store_text("y" * 500))
    if way == "a version":
        blobs.store_text(BODY.decode())
    Project.objects.filter(pk=place.project.pk).update(quota_bytes=FULL)
    before = place.kept()
    numbers_in(INTO_PROJECT[way](place))
    assert place.kept() == before
    Project.objects.filter(pk=place.project.pk).update(quota_bytes=WIDE)
    assert INTO_PROJECT[way](place).status_code in (200, 201)


def test_an_export_does_not_lead_past_it_either(place: Place) -> None:
    export = Export.objects.create(
        format="csv",
        owner="key:1",
        question={"experiments": [0], "filter": "", "order": [], "view": "ALL", "status": "", "columns": []},
    )
    bound(place.tenant, 0)
    with pytest.raises(CommandError, match="bytes that it may"):
        call_command("export_runs", "--tenant", place.tenant.slug, "--export", str(export.pk))
    with tenant_context(place.tenant):
        assert not Blob.objects.exists()


def test_contents_are_made_in_one_module_alone() -> None:
    made = [
        path.as_posix()
        for folder in ("apps", "maestro")
        for path in Path(folder).rglob("*.py")
        if "Blob.objects.create" in path.read_text() or "Blob.objects.bulk_create" in path.read_text()
    ]
    assert made == ["apps/tracking/files/blobs.py"]


def test_every_table_that_names_bytes_is_counted(acme: Tenant) -> None:
    links: list[Any] = [link for link in Blob._meta.get_fields(include_hidden=True) if link.one_to_many]
    assert {
        link.related_model._meta.db_table for link in links if link.related_model._meta.db_table not in use.names()
    } == set()


def test_what_is_on_its_way_counts_too(place: Place, acme: Tenant, api: ApiFor) -> None:
    """Parts lie in the store for a day before anybody says that they are a file: whosoever they are, they take room."""
    bound(place.tenant, FULL)
    assert begin(place).status_code == 201
    other = {"sha256": "f" * 64, "size_bytes": 600}
    for client in (place.client, api(acme)):
        refused = send(client, "post", "/api/v1/uploads/", other)
        assert (refused.status_code, refused.json()["wanted_bytes"]) == (507, 1_200), refused.content
    assert begin(place).status_code == 200
    Upload.objects.all().delete()
    assert send(place.client, "post", "/api/v1/uploads/", other).status_code == 201


@pytest.mark.s3
def test_the_direct_way_into_the_bucket_is_bounded_too(
    committed: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with stores.used("direct", tmp_path, monkeypatch):
        now = timezone.now()
        upload, _ = uploads.begin(uploads.Wanted(SHA256, len(BODY)), owner="key:1", now=now)
        signed = uploads.sign(upload, {1: SHA256})[1]
        assert requests.put(signed.url, data=BODY, headers=signed.headers, timeout=60).status_code == 200
        bound(committed, 100)
        with pytest.raises(QuotaReached):
            uploads.commit(Upload.objects.get(pk=upload.pk), now=now, then=lambda blob: None)
        assert (stores.everything(), Blob.objects.count(), Upload.objects.count()) == ([], 0, 0)
        with pytest.raises(QuotaReached):
            uploads.begin(uploads.Wanted(SHA256, len(BODY)), owner="key:1", now=now)
        bound(committed, None)
        project = Project.objects.create(slug="churn", name="churn", quota_bytes=100)
        upload = uploads.begin_at("0/run/artifacts/a", 1, owner="key:1", now=now)
        answer = requests.put(parts.sign(upload, 1).url, data=BODY, timeout=60)
        told = [Part(1, 0, answer.headers["ETag"])]
        share = quotas.share_of(project)
        with pytest.raises(QuotaReached):
            uploads.commit(upload, now=now, then=lambda blob: None, told=told, share=share)
        assert (stores.everything(), Blob.objects.count(), Upload.objects.count()) == ([], 0, 0)


def test_what_is_here_already_costs_nothing(place: Place) -> None:
    blobs.store_text(BODY.decode())
    bound(place.tenant, 1)
    assert place.proxied(place.run_folder).status_code == 200
    bound(place.tenant, None)
    Project.objects.filter(pk=place.project.pk).update(quota_bytes=len(BODY))
    assert place.proxied(place.run_folder).status_code == 200
    assert place.version({"sha256": SHA256}).status_code == 201


def test_an_upload_costs_one_query_more_and_only_with_a_quota(place: Place) -> None:
    def cost(text: str) -> int:
        with CaptureQueriesContext(connection) as seen:
            put = place.client.put(f"{PROXY}{place.run_folder}/{text}", text, content_type="text/plain")
        assert put.status_code == 200
        return sum("storageuse" in query["sql"] for query in seen.captured_queries)

    assert cost("free") == 0
    use.measure(timezone.now())
    bound(place.tenant, WIDE)
    assert cost("tenant") == 1
    Project.objects.filter(pk=place.project.pk).update(quota_bytes=WIDE)
    use.measure(timezone.now())
    assert cost("both") == 1
    bound(place.tenant, None)
    assert cost("project") == 1
    with CaptureQueriesContext(connection) as seen:
        place.door.post("runs/log-batch", {"run_id": place.run, "metrics": [{"key": "a", "value": 1, "timestamp": 1}]})
    assert not [query for query in seen.captured_queries if "storageuse" in query["sql"]]


def test_many_at_once_take_exactly_what_there_is(committed: Tenant) -> None:
    project = Project.objects.create(slug="churn", name="churn", quota_bytes=100 * 10)
    use.measure(timezone.now())
    bound(committed, 100 * 15)

    def take(number: int) -> bool:
        try:
            with tenant_context(committed):
                share = Share(project.pk, 1_000) if number % 2 else None
                quotas.take({f"{number:064x}": 100}, share)
            return True
        except QuotaReached:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(take, range(60)))
    used = dict(StorageUse.objects.values_list("project", "bytes"))
    assert (sum(done), used[None]) == (15, 1_500)
    assert used[project.pk] == 100 * sum(done[1::2]) <= 1_000
    bound(committed, None)


def test_what_came_to_nothing_is_given_back_by_the_next_measure(acme: Tenant) -> None:
    use.measure(timezone.now())
    bound(acme, FULL)
    quotas.take({"f" * 64: 900})
    with pytest.raises(QuotaReached):
        blobs.store_text(BODY.decode())
    StorageUse.objects.update(measured_at=timezone.now() - timedelta(minutes=2))
    blobs.store_text(BODY.decode())
    assert StorageUse.objects.get(project=None).bytes == len(BODY)


def test_what_is_brought_while_somebody_measures_is_not_forgotten(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    use.measure(timezone.now())
    bound(acme, FULL)
    plain = use.keep

    def late(*args: Any) -> None:
        quotas.take({"f" * 64: 300})
        plain(*args)

    monkeypatch.setattr(use, "keep", late)
    use.measure(timezone.now())
    assert StorageUse.objects.get(project=None).bytes == 300


def test_a_measure_tells_projects_kinds_and_ages_apart(place: Place, acme: Tenant) -> None:
    place.proxied(place.run_folder)
    place.proxied(place.model_folder)
    place.version({"text": "four"})
    make_version(place.client, "shared", "sh")
    blobs.store_text("nobody's")
    Blob.objects.filter(size_bytes=8).update(created_at=timezone.now() - timedelta(days=40))
    assert use.measure(timezone.now())
    whole, own = StorageUse.objects.get(project=None), StorageUse.objects.get(project_id=place.project.pk)
    assert (whole.bytes, whole.files, own.bytes, own.files) == (614, 4, 604, 3)
    heaps = {name: tuple(heap.values()) for name, heap in whole.detail["kinds"].items()}
    assert heaps == {"feature_pipeline": (6, 2), "logged_models": (600, 1), "run_files": (600, 1)}
    assert whole.detail["ages"]["quarter"] == {"bytes": 8, "files": 1}
    assert whole.detail["ages"]["week"]["bytes"] == 606
    assert (whole.detail["unnamed"], whole.detail["sweepable"]) == ({"bytes": 8, "files": 1},) * 2
    assert whole.detail["shared"] == {"bytes": 2, "files": 1}


def test_admins_of_the_tenant_bound_a_project(place: Place, acme: Tenant, api: ApiFor) -> None:
    path = "/api/v1/projects/churn/quota/"
    answer = send(api(acme, "admin"), "put", path, {"quota_bytes": 5})
    assert (answer.status_code, answer.json()["quota_bytes"], answer.json()["used_bytes"]) == (200, 5, None)
    assert place.client.get(path).json()["quota_bytes"] == 5
    assert send(place.client, "put", path, {"quota_bytes": 9}).status_code == 403
    assert send(api(acme, "admin", project_id=place.project.pk), "put", path, {"quota_bytes": 9}).status_code == 403
    for wrong in (-1, 2**61, "many", 1.5):
        assert send(api(acme, "admin"), "put", path, {"quota_bytes": wrong}).status_code == 400
    assert Project.objects.get(pk=place.project.pk).quota_bytes == 5
    narrow = Principal("key", "1", "k", "admin", acme.schema_name, projects=[place.project.pk])
    with pytest.raises(Forbidden):
        quotas.set_quota("churn", None, Actor("k", who=narrow))
    assert quotas.set_quota("churn", None, Actor("m", who=MAESTRO)).quota_bytes is None


def test_operators_bound_a_tenant_by_command(committed: Tenant) -> None:
    call_command("set_quota", "--tenant", committed.slug, "--gigabytes", "1.5")
    with schema_context("public"):
        assert Tenant.objects.get(pk=committed.pk).quota_bytes == 1_500_000_000
        assert OperatorEvent.objects.filter(object_id=committed.slug, action="tenant.quota").count() == 1
    call_command("set_quota", "--tenant", committed.slug, "--none")
    call_command("set_quota", "--tenant", committed.slug, "--none")
    with schema_context("public"):
        assert Tenant.objects.get(pk=committed.pk).quota_bytes is None
        assert OperatorEvent.objects.filter(object_id=committed.slug, action="tenant.quota").count() == 2
    for wrong, code in ((["--gigabytes", "nan"], 2), (["--gigabytes", "-1"], 2)):
        with pytest.raises(CommandError) as stop:
            call_command("set_quota", "--tenant", committed.slug, *wrong)
        assert stop.value.returncode == code
    with tenant_context(committed):
        assert not Blob.objects.exists()
