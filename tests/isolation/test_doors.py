"""No door leaks: each is tried with what belongs to acme, standing in globex."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.auth.models import Group, User
from django.core.cache import cache
from django.test import Client
from django_tenants.utils import schema_context, tenant_context

from apps.tenants import provisioning, routing
from apps.tenants.access.models import ApiKey
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro import storage
from maestro.database.session import connection
from maestro.tasks import MissingTenant, in_tenant

MLFLOW = "/api/2.0/mlflow/"
Door = Callable[..., Client]


def post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(path, body, content_type="application/json")


def without_request(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in ("request_id", "instance")}


def test_a_project_of_acme_sounds_like_one_that_never_was(acme: Tenant, globex: Tenant, api: Door) -> None:
    with tenant_context(acme):
        theirs = Project.objects.create(slug="secret", name="secret")
    client = api(globex, "admin")
    found = client.get(f"/api/v1/projects/{theirs.id}/")
    missing = client.get(f"/api/v1/projects/{uuid.uuid4()}/")
    assert found.status_code == missing.status_code == 404
    assert without_request(found) == without_request(missing)
    assert client.get("/api/v1/projects/").json()["results"] == [
        row for row in client.get("/api/v1/projects/").json()["results"] if row["slug"] != "secret"
    ]
    assert (
        client.patch(f"/api/v1/projects/{theirs.id}/", {"name": "mine"}, content_type="application/json").status_code
        == 404
    )
    with tenant_context(acme):
        assert Project.objects.get(pk=theirs.pk).name == "secret"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("post", "runs/update"),
        ("post", "runs/log-metric"),
        ("post", "runs/set-tag"),
        ("post", "runs/delete"),
        ("get", "runs/get"),
        ("get", "metrics/get-history"),
        ("get", "artifacts/list"),
    ],
)
def test_a_run_of_acme_sounds_like_one_that_never_was(
    acme: Tenant, globex: Tenant, api: Door, method: str, path: str
) -> None:
    with tenant_context(acme):
        run = post(api(acme), f"{MLFLOW}runs/create", {"experiment_id": "0"}).json()["run"]["info"]["run_id"]
    client, never = api(globex, "admin"), uuid.uuid4().hex

    def ask(run_id: str) -> Any:
        fields = {
            "run_id": run_id,
            "metric_key": "m",
            "key": "m",
            "value": 1 if "metric" in path else "1",
            "timestamp": 1,
        }
        wanted = {
            "runs/update": ("run_id",),
            "runs/delete": ("run_id",),
            "runs/get": ("run_id",),
            "artifacts/list": ("run_id",),
        }
        chosen = {name: fields[name] for name in wanted.get(path, fields)}
        return client.get(MLFLOW + path, chosen) if method == "get" else post(client, MLFLOW + path, chosen)

    theirs, missing = ask(run), ask(never)
    assert theirs.status_code == missing.status_code
    assert theirs.json() == json.loads(missing.content.decode().replace(never, run))
    assert theirs.status_code in {400, 404}


def test_a_search_in_globex_finds_nothing_of_acme(acme: Tenant, globex: Tenant, api: Door) -> None:
    with tenant_context(acme):
        post(api(acme), f"{MLFLOW}runs/create", {"experiment_id": "0", "run_name": "hidden"})
    found = post(api(globex), f"{MLFLOW}runs/search", {"experiment_ids": ["0"]})
    assert found.status_code == 200
    assert "hidden" not in found.content.decode()


def test_a_file_of_acme_is_not_there_in_globex(acme: Tenant, globex: Tenant, api: Door) -> None:
    with tenant_context(acme):
        run = post(api(acme), f"{MLFLOW}runs/create", {"experiment_id": "0"}).json()["run"]
        uri = run["info"]["artifact_uri"].partition(":/")[2].lstrip("/")
        path = f"/api/2.0/mlflow-artifacts/artifacts/{uri}/a.txt"
        assert api(acme).put(path, b"secret", content_type="application/octet-stream").status_code == 200
        assert b"".join(api(acme).get(path)) == b"secret"
    assert api(globex, "admin").get(path).status_code == 404
    for prefix in ("..", "%2e%2e", "..%2f..", f"../{acme.id}"):
        answer = api(globex, "admin").get(f"/api/2.0/mlflow-artifacts/artifacts/{prefix}/{uri}/a.txt")
        assert answer.status_code in {400, 404}


def test_bytes_of_two_tenants_have_two_prefixes(acme: Tenant, globex: Tenant) -> None:
    mine = storage.tenant_prefix()
    with tenant_context(acme):
        theirs = storage.tenant_prefix()
    assert mine != theirs
    assert not theirs.startswith(mine)


def test_a_session_of_acme_opens_nothing_in_globex(acme: Tenant, globex: Tenant) -> None:
    people = {}
    for tenant in (acme, globex):
        with tenant_context(tenant):
            person = User.objects.create_user("twin", password="the same password", is_staff=True)
            person.groups.add(Group.objects.get(name="admin"))
            people[tenant.slug] = person
    client = Client(headers={"host": "acme.localhost"})
    with tenant_context(acme):
        client.force_login(people["acme"], backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    assert client.get("/admin/").status_code == 200
    for host in ("globex.localhost", "localhost"):
        answer = client.get("/admin/", headers={"host": host})
        assert answer.status_code == 302
        assert "/admin/login/" in answer["Location"]


def test_a_cached_value_of_acme_is_a_miss_in_globex(acme: Tenant, globex: Tenant) -> None:
    with tenant_context(acme):
        cache.set("name", "acme's")
    assert cache.get("name") is None
    cache.set("name", "globex's")
    with tenant_context(acme):
        assert cache.get("name") == "acme's"


def test_erasing_a_tenant_empties_its_cache_and_no_other(committed: Tenant) -> None:
    slug = f"gone-{uuid.uuid4().hex[:8]}"
    connection.set_schema_to_public()
    tenant = provisioning.create(slug)
    with tenant_context(tenant):
        cache.set("name", "theirs")
    with tenant_context(committed):
        cache.set("name", "ours")
    server = redis.Redis.from_url(django_settings.REDIS_URL)
    server.rpush("celery", "a waiting task")
    provisioning.erase(slug)
    assert server.keys(f"{tenant.schema_name}:*") == []
    assert server.lrange("celery", 0, -1) == [b"a waiting task"]
    server.delete("celery")
    with tenant_context(committed):
        assert cache.get("name") == "ours"


@pytest.mark.parametrize("schema", [None, "", "public", "nowhere", "acme; DROP SCHEMA acme", 7, "information_schema"])
def test_a_task_without_a_real_tenant_is_refused_before_its_first_query(db: None, schema: Any) -> None:
    ran: list[int] = []
    with pytest.raises(MissingTenant):
        in_tenant(lambda: ran.append(1))(schema=schema)
    assert ran == []


@pytest.mark.parametrize("state", ["suspended", "maintenance", "erasing", "provisioning"])
def test_a_tenant_that_takes_no_work_takes_no_task_and_no_request(
    acme: Tenant, globex: Tenant, api: Door, state: str
) -> None:
    client, other = api(acme), api(globex)
    with schema_context("public"):
        Tenant.objects.filter(slug="acme").update(state=state)
    routing.forget()
    answer = client.get("/api/v1/projects/")
    assert (answer.status_code, answer.json()["code"]) == (503, f"tenant_{state}")
    assert other.get("/api/v1/projects/").status_code == 200
    with pytest.raises(MissingTenant):
        in_tenant(lambda: None)(schema="acme")


def test_a_task_stands_in_its_tenant_and_leaves_it(acme: Tenant, globex: Tenant) -> None:
    connection.set_schema_to_public()

    def where() -> tuple[str, ...]:
        return connection.cursor().execute("SELECT current_schema(), current_user").fetchone()

    assert in_tenant(where)(schema="acme") == ("acme", "tenant_acme")
    assert connection.schema_name == "public"


def test_a_tenant_behind_the_migrations_is_503_alone(acme: Tenant, globex: Tenant, api: Door) -> None:
    client, other = api(acme), api(globex)
    with schema_context("public"):
        Tenant.objects.filter(slug="acme").update(schema_head="old")
    routing.forget()
    assert client.get("/api/v1/projects/").json()["code"] == "schema_behind"
    assert other.get("/api/v1/projects/").status_code == 200


def test_the_applications_login_alone_reads_no_tenant(committed: Tenant) -> None:
    with psycopg.connect(django_settings.DATABASE_URL) as link:
        for table in ("access_apikey", "tracking_run", "auth_user"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                link.execute(f'SELECT * FROM "{committed.schema_name}".{table}')
            link.rollback()


def test_a_key_of_a_tenant_that_was_made_anew_is_refused(committed: Tenant, key_for: Callable[..., str]) -> None:
    """The same slug, another tenant: old keys do not come back to life."""
    slug = f"again-{uuid.uuid4().hex[:8]}"
    connection.set_schema_to_public()
    old = key_for(provisioning.create(slug))
    provisioning.erase(slug)
    routing.forget()
    provisioning.create(slug)
    try:
        client = Client(headers={"host": f"{slug}.localhost", "authorization": f"Bearer {old}"})
        assert client.get("/api/v1/projects/").status_code == 401
    finally:
        connection.set_schema_to_public()
        provisioning.erase(slug)


def test_keys_of_two_tenants_never_share_an_answer(acme: Tenant, globex: Tenant, key_for: Callable[..., str]) -> None:
    """The memory of keys is by schema: a key of acme, just seen there, is still nothing in globex."""
    text = key_for(acme, "admin")
    here = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"})
    assert here.get("/api/v1/auth/whoami/").status_code == 200
    assert here.get("/api/v1/auth/whoami/", headers={"host": "globex.localhost"}).status_code == 401
    with tenant_context(globex):
        assert not ApiKey.objects.filter(pk=text.split("_")[2]).exists()
