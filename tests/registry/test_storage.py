"""What is kept is told to who sees the whole tenant, by project, kind and age; admins are warned before it is full."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context

from apps.tenants import routing
from apps.tenants.models import Tenant
from apps.tracking.files import blobs, use
from apps.tracking.models import Experiment, Project, Run, RunFile, StorageUse
from tests.factories import stores
from tests.factories.sending import make_version

ApiFor = Callable[..., Client]
PATH = "/api/v1/storage/"


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with stores.used("folder", tmp_path, monkeypatch):
        yield


@pytest.fixture
def churn(acme: Tenant) -> Project:
    project = Project.objects.create(slug="churn", name="Churn & <b>", quota_bytes=100)
    home = Experiment.objects.create(name="churn", project=project, created_ms=1, updated_ms=1)
    run = Run.objects.create(experiment=home, name="r", start_ms=1, last_write_ms=1)
    RunFile.objects.create(run=run, path="a", blob=blobs.store_text("x" * 80))
    return project


def browser(person: User) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def test_a_viewer_of_the_tenant_reads_it_and_a_key_of_one_project_does_not(
    acme: Tenant, churn: Project, api: ApiFor
) -> None:
    make_version(api(acme), "encoder", "1234")
    told = api(acme, "viewer").get(PATH).json()
    assert (told["bytes"], told["contents"], told["quota_bytes"], told["is_warned"]) == (84, 2, None, False)
    assert told["projects"][0] == {
        "bytes": 80,
        "files": 1,
        "project": "churn",
        "quota_bytes": 100,
        "is_warned": True,
    }
    assert told["shared"] == {"bytes": 4, "files": 1}
    assert told["kinds"][0]["kind"] == "feature_pipeline"
    assert (told["unnamed"], told["sweepable"]) == ({"bytes": 0, "files": 0},) * 2
    assert api(acme, "admin", project_id=churn.pk).get(PATH).status_code == 403


def test_it_is_counted_again_when_asked_but_not_twice_a_minute(acme: Tenant, churn: Project, api: ApiFor) -> None:
    client = api(acme, "viewer")
    assert client.get(PATH).json()["bytes"] == 80
    blobs.store_text("new")
    assert client.get(f"{PATH}?fresh=true").json()["bytes"] == 80
    StorageUse.objects.update(measured_at=timezone.now() - timedelta(minutes=2))
    assert client.get(PATH).json()["bytes"] == 80
    assert client.get(f"{PATH}?fresh=true").json()["bytes"] == 83


def test_the_page_shows_it_and_refuses_who_sees_some_projects(acme: Tenant, churn: Project) -> None:
    boss = browser(User.objects.create_superuser("boss", password="x"))
    page = boss.get("/admin/storage/").content.decode()
    assert "By project" in page
    assert "Churn &amp; &lt;b&gt;" in page
    assert "80 %" in page
    nobody = browser(User.objects.create_user("nobody", password="x", is_staff=True))
    assert nobody.get("/admin/storage/").status_code == 403


def test_home_warns_admins_from_eighty_percent(acme: Tenant, churn: Project) -> None:
    boss = browser(User.objects.create_superuser("boss", password="x"))
    use.measure(timezone.now())
    assert "Storage is nearly full" in boss.get("/admin/").content.decode()
    Project.objects.update(quota_bytes=101)
    assert "Storage is nearly full" not in boss.get("/admin/").content.decode()
    with schema_context("public"):
        Tenant.objects.filter(pk=acme.pk).update(quota_bytes=80)
    routing.forget()
    page = boss.get("/admin/").content.decode()
    assert "All projects together" in page
    assert "may keep no more" in page


def test_another_tenants_bytes_are_not_counted(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    blobs.store_text("of globex")
    assert api(globex, "viewer").get(PATH).json()["bytes"] == 9
    assert api(acme, "viewer").get(PATH).json()["bytes"] == 0
