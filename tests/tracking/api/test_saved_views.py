"""Saved views by REST: kept, shared, replaced, defaulted to; each one's own; bad ones refused with nothing stored."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, SavedView

VIEWS = "/api/v1/views/"
Door = Callable[..., Client]


@pytest.fixture
def experiment(acme: Tenant) -> Experiment:
    project = Project.objects.create(slug="churn", name="Churn")
    return Experiment.objects.create(project=project, name="baseline", created_ms=1, updated_ms=1)


def body(experiment: Experiment, **more: Any) -> dict[str, Any]:
    state = {"filter": "metrics.auc > 0.9", "sort": "-m.auc", "columns": ["m.auc", "p.lr"]}
    return {"name": "best first", "state": {**state, "experiments": [experiment.pk]}, **more}


def post(client: Client, fields: Any) -> Any:
    return client.post(VIEWS, fields, content_type="application/json")


def patch(client: Client, identity: str, fields: Any) -> Any:
    return client.patch(f"{VIEWS}{identity}/", fields, content_type="application/json")


def test_a_viewer_keeps_a_view_and_finds_it_with_its_address(acme: Tenant, api: Door, experiment: Experiment) -> None:
    client = api(acme, "viewer")
    made = post(client, body(experiment))
    assert made.status_code == 201, made.content
    shown = client.get(f"{VIEWS}{made.json()['id']}/").json()
    assert shown["state"]["filter"] == "metrics.auc > 0.9"
    assert shown["experiment"] == experiment.pk
    assert shown["project"] == str(experiment.project_id)
    assert f"experiment={experiment.pk}" in shown["url"]
    assert "c=m.auc&c=p.lr" in shown["url"]
    assert [row["id"] for row in client.get(VIEWS, {"experiment": experiment.pk}).json()["results"]] == [shown["id"]]
    assert client.get(VIEWS, {"experiment": 0}).json()["results"] == []


def test_a_viewer_may_not_share_and_a_contributor_may(acme: Tenant, api: Door, experiment: Experiment) -> None:
    viewer, contributor = api(acme, "viewer"), api(acme, "contributor")
    assert post(viewer, body(experiment, is_shared=True)).status_code == 403
    assert SavedView.objects.count() == 0
    kept = post(viewer, body(experiment)).json()["id"]
    assert patch(viewer, kept, {"is_shared": True}).status_code == 403
    shared = post(contributor, body(experiment, is_shared=True)).json()["id"]
    assert viewer.get(f"{VIEWS}{shared}/").status_code == 200
    assert patch(viewer, shared, {"name": "mine now"}).status_code == 403
    assert viewer.delete(f"{VIEWS}{shared}/").status_code == 403
    assert patch(api(acme, "admin"), shared, {"name": "tidied"}).json()["name"] == "tidied"


def test_a_private_view_sounds_to_others_like_one_that_never_was(
    acme: Tenant, api: Door, experiment: Experiment
) -> None:
    theirs = post(api(acme, "contributor"), body(experiment)).json()["id"]
    for role in ("viewer", "contributor", "admin"):
        other = api(acme, role)
        assert other.get(f"{VIEWS}{theirs}/").status_code == 404
        assert patch(other, theirs, {"name": "x"}).status_code == 404
        assert other.delete(f"{VIEWS}{theirs}/").status_code == 404
        assert other.get(VIEWS).json()["results"] == []
    assert SavedView.objects.get(pk=theirs).name == "best first"


def test_renaming_replacing_and_deleting(acme: Tenant, api: Door, experiment: Experiment) -> None:
    client = api(acme, "viewer")
    made = post(client, body(experiment))
    identity = made.json()["id"]
    changed = patch(client, identity, {"name": "slow ones", "state": {"layout": "charts", "smoothing": 0.6}}).json()
    assert (changed["name"], changed["experiment"]) == ("slow ones", None)
    assert "view=charts" in changed["url"]
    assert "smooth=0.6" in changed["url"]
    stale = client.patch(
        f"{VIEWS}{identity}/", {"name": "y"}, content_type="application/json", headers={"if-match": made["ETag"]}
    )
    assert stale.status_code == 412
    assert client.delete(f"{VIEWS}{identity}/").status_code == 204
    assert client.get(f"{VIEWS}{identity}/").status_code == 404


def test_one_default_an_experiment_for_each_person_and_one_for_all(
    acme: Tenant, api: Door, experiment: Experiment
) -> None:
    client = api(acme, "contributor")
    first = post(client, body(experiment, is_default=True)).json()["id"]
    second = post(client, body(experiment, name="second", is_default=True)).json()["id"]
    shared = post(client, body(experiment, name="all", is_default=True, is_shared=True)).json()["id"]
    defaults = SavedView.objects.filter(is_default=True).values_list("pk", flat=True)
    assert {str(pk) for pk in defaults} == {second, shared}
    assert not SavedView.objects.get(pk=first).is_default
    homeless = body(experiment, name="no experiment", is_default=True) | {"state": {}}
    assert post(client, homeless).json()["code"] == "no_experiment"


def test_a_taken_name_is_409_for_its_owner_alone(acme: Tenant, api: Door, experiment: Experiment) -> None:
    client = api(acme, "viewer")
    assert post(client, body(experiment)).status_code == 201
    assert post(client, body(experiment)).status_code == 409
    assert post(api(acme, "viewer"), body(experiment)).status_code == 201
    assert SavedView.objects.count() == 2


@pytest.mark.parametrize(
    "state",
    [
        {"filter": "metrics.auc >"},
        {"filter": "(" * 2000},
        {"filter": 7},
        {"filter": "x\x00y"},
        {"filter": "\ud800"},
        {"status": "SLEEPING"},
        {"sort": "-"},
        {"sort": "m."},
        {"columns": ["q.x"]},
        {"columns": ["m.a", "m.a"]},
        {"columns": [f"m.{n}" for n in range(31)]},
        {"columns": "m.auc"},
        {"layout": "pie"},
        {"experiments": [10**30]},
        {"experiments": [-1]},
        {"experiments": [999_999]},
        {"experiments": ["1"]},
        {"project": "nowhere"},
        {"project": str(uuid.uuid4())},
        {"smoothing": 1.5},
        {"smoothing": "0.5"},
        {"log_axis": "yes"},
        {"surprise": 1},
        [],
        None,
    ],
)
def test_a_bad_state_is_refused_and_nothing_is_kept(acme: Tenant, api: Door, state: Any) -> None:
    answer = post(api(acme, "contributor"), {"name": "bad", "state": state})
    assert answer.status_code == 400, answer.content
    assert SavedView.objects.count() == 0


@pytest.mark.parametrize("name", ["", "  ", "x" * 101, 5, None, "a\x00b", "\ud800"])
def test_a_bad_name_is_refused(acme: Tenant, api: Door, name: Any) -> None:
    assert post(api(acme, "contributor"), {"name": name, "state": {}}).status_code == 400
    assert SavedView.objects.count() == 0


def test_a_key_of_one_project_keeps_to_it(acme: Tenant, api: Door, experiment: Experiment) -> None:
    mine = Project.objects.create(slug="mine", name="Mine")
    ours = Experiment.objects.create(project=mine, name="ours", created_ms=1, updated_ms=1)
    foreign = post(api(acme, "contributor"), body(experiment, is_shared=True)).json()["id"]
    client = api(acme, "contributor", project_id=mine.pk)
    assert client.get(f"{VIEWS}{foreign}/").status_code == 404
    assert client.get(VIEWS).json()["results"] == []
    assert post(client, body(experiment)).status_code == 400
    assert post(client, {"name": "wide", "state": {}}).status_code == 400
    assert post(client, body(ours)).status_code == 201


def test_a_narrowed_key_looks_only(acme: Tenant, api: Door, experiment: Experiment) -> None:
    client = api(acme, "contributor", scopes=["read"])
    assert client.get(VIEWS).status_code == 200
    assert post(client, body(experiment)).status_code == 403
    assert SavedView.objects.count() == 0


def test_views_of_the_other_tenant_are_not_there(acme: Tenant, globex: Tenant, api: Door) -> None:
    with tenant_context(acme):
        theirs = post(api(acme, "admin"), {"name": "secret", "state": {}, "is_shared": True}).json()["id"]
    client = api(globex, "admin")
    assert client.get(VIEWS).json()["results"] == []
    assert client.get(f"{VIEWS}{theirs}/").status_code == 404
    assert patch(client, theirs, {"name": "x"}).status_code == 404
    assert client.delete(f"{VIEWS}{theirs}/").status_code == 404


def test_a_person_keeps_no_more_than_the_bound(acme: Tenant, api: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("apps.tracking.search.saved_views.MAX_OWN", 2)
    client = api(acme, "viewer")
    answers = [post(client, {"name": f"view {n}", "state": {}}).status_code for n in range(3)]
    assert answers == [201, 201, 409]
