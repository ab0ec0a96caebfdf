"""The run list as a person's requests: columns among very many, the state filter, saved views, and bad input to each."""

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, MetricKey, Param, Run, SavedView
from tests.factories.scene import Scene, build

LIST, VIEWS = "/admin/tracking/run/", "/admin/views/"
SignIn = Callable[[str], Client]


@pytest.fixture
def scene(scene: Scene) -> Scene:
    """The rows without the view that somebody shares there."""
    scene.view.delete()
    return scene


def save(client: Client, query: str, **fields: str) -> Any:
    return client.post(VIEWS, {"action": "create", "name": "mine", "query": query} | fields)


def names(client: Client, query: str) -> list[str]:
    return [row.run.name for row in client.get(f"{LIST}?{query}").context["rows"]]


def test_the_state_filter_goes_with_a_text_and_a_metric(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    assert names(viewer, "status=LOST") == ["mellow-fox-2"]
    assert names(viewer, "status=LOST&q=fox-2") == ["mellow-fox-2"]
    assert names(viewer, "status=LOST&q=fox-3") == []
    assert names(viewer, "status=LOST&q=metrics.accuracy+%3E+0.9") == []
    assert names(viewer, "status=RUNNING") == ["mellow-fox-0"]
    assert names(viewer, "q=attributes.state+%3D+%27LOST%27+OR+attributes.state+%3D+%27FAILED%27") == [
        "mellow-fox-1",
        "mellow-fox-2",
    ]


def test_several_experiments_are_one_list(scene: Scene, person: SignIn) -> None:
    both = person("viewer").get(f"{LIST}?experiment={scene.experiment.pk}&experiment=0")
    assert len(both.context["rows"]) == 12
    assert both.context["experiment"] is None


def test_the_best_of_the_goal_metric_is_marked(scene: Scene, person: SignIn) -> None:
    rows = person("viewer").get(f"{LIST}?experiment={scene.experiment.pk}&c=m.auc").context["rows"]
    assert [row.run.name for row in rows if row.cells[0].is_best] == ["mellow-fox-11"]


def test_runs_have_looks_of_their_own_that_do_not_change(scene: Scene, person: SignIn) -> None:
    viewer, some = person("viewer"), "&".join(f"run={run.pk.hex}" for run in scene.runs[:8])
    first = {row.run.pk: row.dot for row in viewer.get(f"{LIST}?{some}").context["rows"] if row.is_chosen}
    again = {row.run.pk: row.dot for row in viewer.get(f"{LIST}?sort=name&{some}").context["rows"] if row.is_chosen}
    assert first == again
    assert len(set(first.values())) == 8


def test_columns_are_found_among_very_many(scene: Scene, person: SignIn) -> None:
    MetricKey.objects.bulk_create(MetricKey(name=f"many/{n:04}") for n in range(3000))
    Param.objects.bulk_create(Param(run=scene.runs[3], key=f"layer.{n:04}.units", value="1") for n in range(3000))
    viewer = person("viewer")
    found = json.loads(viewer.get("/admin/keys/?q=1234").content)["names"]
    assert found == [{"kind": "m", "name": "many/1234"}, {"kind": "p", "name": "layer.1234.units"}]
    here = json.loads(viewer.get(f"/admin/keys/?q=a&kind=m&experiment={scene.experiment.pk}").content)["names"]
    assert {item["name"] for item in here} == {"auc", "accuracy", "train_loss", "val_loss"}
    page = viewer.get(LIST)
    assert len(page.content) < 150_000
    assert sum(len(offered) for _, _, offered in page.context["offered"]) <= 60


def test_what_is_named_and_not_there_is_nothing_rather_than_everything(scene: Scene, person: SignIn) -> None:
    viewer = person("contributor")
    for query in (
        "experiment=987654",
        "experiment=zzz",
        "experiment=" + "9" * 30,
        f"project={uuid.uuid4()}",
        "project=zzz",
    ):
        assert names(viewer, query) == [], query
        assert "not in your reach" in viewer.get(f"{LIST}?{query}").content.decode(), query
        assert json.loads(viewer.get(f"/admin/keys/?q=a&{query}").content)["names"] == [], query
        meant = {"do": "trash", "which": "found", **dict([query.split("=")])}
        refused = viewer.get("/admin/runs/act/", meant, follow=True)
        assert "the filter finds no run" in refused.content.decode(), query
    assert len(names(viewer, "experiment=&project=")) == 12


def test_names_are_those_of_what_is_looked_at(scene: Scene, person: SignIn) -> None:
    home = Experiment.objects.create(project=scene.project, name="other", created_ms=0, updated_ms=0)
    other = Run.objects.create(experiment=home, name="other", start_ms=0, last_write_ms=0)
    LatestMetric.objects.create(
        run=other,
        experiment=other.experiment,
        key=MetricKey.objects.create(name="aucx"),
        step=0,
        timestamp_ms=0,
        value=1,
    )
    Param.objects.create(run=other, key="boosting_elsewhere", value="1")
    viewer = person("viewer")

    def offered(query: str) -> set[str]:
        answer = viewer.get(f"/admin/keys/?{query}")
        return {item["name"] for item in json.loads(answer.content)["names"]}

    for scope in (f"experiment={scene.experiment.pk}", f"project={scene.open_project.pk}"):
        page = viewer.get(f"{LIST}?{scope}")
        assert page.context["keys_url"].endswith(scope)
        assert "aucx" not in offered(f"{scope}&q=auc")
        assert offered(f"{scope}&q=boosting") == {"boosting"}
    assert "aucx" in offered(f"project={scene.project.pk}&q=auc")
    assert offered("q=boosting") == {"boosting", "boosting_elsewhere"}


def test_a_piece_of_a_name_is_taken_as_it_is(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    for query in ("q=_", "kind=zzz&experiment=9e9", "q=" + "x" * 5000, "experiment=" + "9" * 30):
        assert viewer.get(f"/admin/keys/?{query}").status_code == 200, query
    for query in ("q=%25", "q=!", "q=%5C"):
        assert json.loads(viewer.get(f"/admin/keys/?{query}").content)["names"] == [], query
    assert viewer.get("/admin/keys/?q=%00").status_code == 400


def test_a_view_keeps_the_state_of_the_list_and_opens_it_again(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    query = f"experiment={scene.experiment.pk}&q=metrics.auc+%3E+0.1&sort=-m.auc&c=m.auc&c=p.seed&view=charts&smooth=0.6&x=time"
    kept = save(viewer, query)
    assert kept.status_code == 302
    view = SavedView.objects.get()
    assert view.state["filter"] == "metrics.auc > 0.1"
    page = viewer.get(kept["location"])
    assert page.context["current_view"] == view
    assert not page.context["is_view_changed"]
    assert page.context["is_charts"]
    changed = viewer.get(kept["location"].replace("0.1", "0.2"))
    assert changed.context["is_view_changed"]
    assert AuditEvent.objects.filter(action="view.create").count() == 1


def test_an_experiment_opens_with_its_default_and_can_be_left(scene: Scene, person: SignIn) -> None:
    viewer, home = person("viewer"), f"experiment={scene.experiment.pk}"
    save(viewer, f"{home}&sort=-m.auc", is_default="1")
    opened = viewer.get(f"{LIST}?{home}")
    assert opened.status_code == 302
    assert "sort=-m.auc" in opened["location"]
    assert viewer.get(opened["location"]).context["rows"][0].run.name == "mellow-fox-11"
    assert viewer.get(f"{LIST}?{home}&saved=").status_code == 200
    assert viewer.get(f"{LIST}?{home}&q=fox-1").status_code == 200
    view = SavedView.objects.get()
    viewer.post(VIEWS, {"action": "undefault", "view": str(view.pk), "query": home})
    assert viewer.get(f"{LIST}?{home}").status_code == 200


def test_a_viewer_keeps_to_themself_and_a_contributor_shares(scene: Scene, person: SignIn) -> None:
    viewer, contributor = person("viewer"), person("contributor")
    save(viewer, "sort=name", is_shared="1")
    assert SavedView.objects.count() == 0
    save(viewer, "sort=name")
    save(contributor, "sort=-name", name="ours", is_shared="1")
    menu = viewer.get(LIST).context
    assert [line.view.name for line in menu["own_views"]] == ["mine"]
    assert [line.view.name for line in menu["shared_views"]] == ["ours"]
    assert contributor.get(LIST).context["shared_views"] == []
    mine = SavedView.objects.get(name="mine")
    for action in ("rename", "delete", "share", "replace"):
        contributor.post(VIEWS, {"action": action, "view": str(mine.pk), "name": "taken", "query": ""})
    mine.refresh_from_db()
    assert (mine.name, mine.is_shared) == ("mine", False)
    viewer.post(VIEWS, {"action": "rename", "view": str(mine.pk), "name": "best", "query": ""})
    viewer.post(VIEWS, {"action": "replace", "view": str(mine.pk), "query": "sort=start"})
    mine.refresh_from_db()
    assert (mine.name, mine.state["sort"]) == ("best", "start")
    viewer.post(VIEWS, {"action": "delete", "view": str(mine.pk), "query": ""})
    assert not SavedView.objects.filter(pk=mine.pk).exists()


def test_a_private_view_is_not_in_the_tables_of_others(scene: Scene, person: SignIn) -> None:
    save(person("viewer"), "sort=name", name="secret plan")
    admin = person("admin")
    assert b"secret plan" not in admin.get("/admin/tracking/savedview/").content
    assert admin.get(f"/admin/tracking/savedview/{SavedView.objects.get().pk}/change/").status_code in {302, 403, 404}


BAD_VIEWS: list[dict[str, str]] = [
    {},
    {"action": "zzz"},
    {"action": "delete", "view": "zzz"},
    {"action": "rename", "view": "00000000-0000-0000-0000-000000000000", "name": "x"},
    {"action": "create", "name": ""},
    {"action": "create", "name": "x" * 101},
    {"action": "create", "name": "bad", "query": "q=metrics.auc+%3E"},
    {"action": "create", "name": "bad", "query": "experiment=999999"},
    {"action": "create", "name": "bad", "query": "c=q.x"},
    {"action": "create", "name": "bad", "query": "status=ASLEEP"},
]


def test_a_bad_view_is_refused_in_words_and_nothing_is_kept(scene: Scene, person: SignIn) -> None:
    client = person("contributor")
    for fields in BAD_VIEWS:
        answer = client.post(VIEWS, fields, follow=True)
        assert answer.status_code == 200, fields
        assert "was not saved" in answer.content.decode(), fields
    assert client.post(VIEWS, {"action": "create", "name": "a\x00b"}, follow=True).status_code == 200
    assert SavedView.objects.count() == 0


def test_views_need_a_role_a_post_and_a_person(scene: Scene, person: SignIn) -> None:
    assert save(person("nobody"), "").status_code == 403
    assert person("viewer").get(VIEWS).status_code == 405
    assert save(Client(headers={"host": "acme.localhost"}), "")["location"].startswith("/admin/login/")
    user = User.objects.get(username="a-viewer")
    strict = Client(enforce_csrf_checks=True, headers={"host": "acme.localhost"})
    strict.force_login(user, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    assert save(strict, "").status_code == 403
    assert SavedView.objects.count() == 0


def test_the_other_tenants_views_and_names_are_not_seen(globex: Tenant, person: SignIn) -> None:
    with tenant_context(globex):
        build()
        theirs = SavedView.objects.create(name="theirs", owner="person:1", is_shared=True)
    viewer = person("viewer")
    assert viewer.get(LIST).context["shared_views"] == []
    assert json.loads(viewer.get("/admin/keys/?q=auc").content)["names"] == []
    viewer.post(VIEWS, {"action": "delete", "view": str(theirs.pk), "query": ""})
    with tenant_context(globex):
        assert SavedView.objects.filter(pk=theirs.pk).exists()
