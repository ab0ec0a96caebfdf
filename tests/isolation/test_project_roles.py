"""A role in one project opens nothing of another: every route of both APIs, tried from within A with what is B's."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.two_projects import (
    MARK,
    MLFLOW,
    Things,
    contents,
    furnish,
    guarded_routes,
    knock,
    person_in,
    post,
    speaking_as,
    text_of,
)

Api = Callable[..., Client]
# What may be answered with 200 all the same: lists that leave B out, oneself, and bytes whose digest one knows.
KNOCKERS = ("a key of A", "an admin of A", "an admin of A and of another", "a viewer of A")


@pytest.fixture
def things(acme: Tenant, api: Api) -> Things:
    return furnish(api, acme)


def knocker(name: str, acme: Tenant, api: Api, things: Things) -> Client:
    if name == "a key of A":
        return api(acme, "admin", project_id=things.mine.pk)
    if name == "an admin of A":
        return speaking_as(acme, person_in({things.mine: "admin"}))
    if name == "a viewer of A":
        return speaking_as(acme, person_in({things.mine: "viewer"}))
    other = Project.objects.create(slug="proj-c", name="another")
    return speaking_as(acme, person_in({things.mine: "admin", other: "admin"}))


@pytest.mark.parametrize("name", KNOCKERS)
def test_from_within_one_project_no_route_shows_or_changes_another(
    acme: Tenant, api: Api, things: Things, name: str
) -> None:
    client, before = knocker(name, acme, api, things), contents()
    tried, faults = 0, []
    for method, route in guarded_routes():
        answer = knock(client, method, route, things)
        tried += 1
        shown = text_of(answer)
        for said in (things.ids["run"], things.ids["name"], "proj-b"):
            shown = shown.replace(said, "") if answer.status_code >= 400 else shown
        if MARK in shown or (answer.status_code >= 500 and answer.status_code != 501):
            faults.append((method, route.pattern, answer.status_code, shown[:300]))
    assert tried > 100
    assert faults == []
    assert contents() == before


def test_the_owner_of_b_finds_it_all(acme: Tenant, api: Api, things: Things) -> None:
    """The same knocks with the right hand: without this the test above could pass by knocking wrongly."""
    client, found = speaking_as(acme, person_in({things.theirs: "admin"})), set()
    for method, route in guarded_routes():
        if method == "GET" and MARK in text_of(knock(client, method, route, things)):
            found.add(route.pattern)
    assert len(found) >= 20, found
    assert {"api/2.0/mlflow/runs/get", "api/v1/runs/<str:run>/", "api/v1/projects/", "api/v1/keys/"} <= found


@pytest.mark.parametrize(
    ("role", "tenant_role", "statuses"),
    [
        ("viewer", "", [200, 403, 403, 404, 403]),
        ("contributor", "", [200, 200, 403, 404, 404]),
        ("contributor", "viewer", [200, 200, 403, 200, 403]),
        ("admin", "viewer", [200, 200, 200, 200, 403]),
        ("viewer", "contributor", [200, 200, 403, 200, 200]),
    ],
)
def test_a_role_in_a_project_adds_to_the_one_in_the_tenant_there_and_only_there(
    acme: Tenant, api: Api, things: Things, role: str, tenant_role: str, statuses: list[int]
) -> None:
    own = post(api(acme, "admin", project_id=things.mine.pk), f"{MLFLOW}experiments/create", {"name": "own"})
    client = speaking_as(acme, person_in({things.mine: role}, tenant_role))

    def look(experiment: str) -> int:
        return client.get(f"{MLFLOW}experiments/get", {"experiment_id": experiment}).status_code

    def write(experiment: str) -> int:
        body = {"experiment_id": experiment, "run_name": "r"}
        return client.post(f"{MLFLOW}runs/create", body, content_type="application/json").status_code

    keys = client.get("/api/v1/keys/").status_code
    theirs = things.ids["experiment"]
    assert [look(own["experiment_id"]), write(own["experiment_id"]), keys, look(theirs), write(theirs)] == statuses


def test_lists_hold_the_projects_of_the_person_and_shared_artifacts(acme: Tenant, api: Api, things: Things) -> None:
    shared = api(acme, "admin")
    post(shared, f"{MLFLOW}registered-models/create", {"name": "for-all"})
    mine = speaking_as(acme, person_in({things.mine: "viewer"}))
    both = speaking_as(acme, person_in({things.mine: "viewer", things.theirs: "viewer"}, name="both"))
    everybody = speaking_as(acme, person_in({}, "viewer", name="everybody"))

    def seen(client: Client, path: str, name: str) -> set[str]:
        return {row[name] for row in client.get(path).json()["results"]}

    assert seen(mine, "/api/v1/projects/", "slug") == {"proj-a"}
    assert seen(both, "/api/v1/projects/", "slug") == {"proj-a", "proj-b"}
    assert seen(everybody, "/api/v1/projects/", "slug") >= {"proj-a", "proj-b", "default"}
    assert seen(mine, "/api/v1/artifacts/", "name") == {"for-all"}
    assert seen(both, "/api/v1/artifacts/", "name") == {"for-all", f"model-{MARK}"}
    change = {"name": "for-all", "new_name": "mine"}
    editor = speaking_as(acme, person_in({things.mine: "admin"}, name="editor"))
    answer = editor.post(f"{MLFLOW}registered-models/rename", change, content_type="application/json")
    assert answer.status_code == 403


def test_what_somebody_of_one_project_makes_is_that_projects_and_of_two_must_be_said(
    acme: Tenant, things: Things
) -> None:
    one = speaking_as(acme, person_in({things.mine: "contributor"}))
    two = speaking_as(acme, person_in({things.mine: "contributor", things.theirs: "contributor"}, name="two"))
    create = f"{MLFLOW}experiments/create"
    post(one, create, {"name": "by one"})
    assert set(things.mine.experiments.values_list("name", flat=True)) == {"by one"}
    refused = two.post(create, {"name": "by two"}, content_type="application/json")
    assert refused.status_code == 400
    assert "maestro.project" in refused.json()["message"]
    post(two, create, {"name": "by two", "tags": [{"key": "maestro.project", "value": "proj-b"}]})
    assert things.theirs.experiments.filter(name="by two").exists()
    stolen = {"name": "s", "tags": [{"key": "maestro.project", "value": "proj-b"}]}
    assert one.post(create, stolen, content_type="application/json").status_code == 400
    assert (
        one.post("/api/v1/projects/", {"slug": "new", "name": "n"}, content_type="application/json").status_code == 403
    )


def test_a_foreign_run_sounds_like_one_that_never_was(acme: Tenant, things: Things) -> None:
    client = speaking_as(acme, person_in({things.mine: "admin"}))

    def said(path: str, run: str) -> tuple[int, dict[str, Any]]:
        answer = client.get(path, {"run_id": run} if "mlflow" in path else {})
        body = {k: v for k, v in answer.json().items() if k not in {"instance", "request_id"}}
        return answer.status_code, {k: str(v).replace(run, "<run>") for k, v in body.items()}

    theirs, never = things.ids["run"], uuid.uuid4().hex
    assert said(f"{MLFLOW}runs/get", theirs) == said(f"{MLFLOW}runs/get", never)
    assert said(f"/api/v1/runs/{theirs}/", theirs) == said(f"/api/v1/runs/{never}/", never)
    assert said(f"/api/v1/runs/{theirs}/", theirs)[0] == 404


def test_whoami_tells_roles_in_projects(acme: Tenant, things: Things) -> None:
    who = speaking_as(acme, person_in({things.mine: "approver"})).get("/api/v1/auth/whoami/").json()
    assert (who["role"], who["project_roles"]) == ("", {str(things.mine.pk): "approver"})
    assert speaking_as(acme, person_in({}, "", "nobody")).get("/api/v1/auth/whoami/").status_code == 403
