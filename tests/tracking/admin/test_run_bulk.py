"""Changes to many runs from the run list: asked first, done whole, and only by who may."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.exports import orders
from apps.tracking.files import blobs
from apps.tracking.models import Export, LifeRule, Run
from apps.tracking.runs import selection
from maestro.turns import Turns
from tests.factories.door import Door
from tests.factories.many_runs import make_experiment, make_runs

ACT, TRASH, LIST = "/admin/runs/act/", "/admin/runs/trash/", "/admin/tracking/run/"
Person = Callable[[str], Client]


@pytest.fixture
def person(acme: Tenant) -> Person:
    """A client signed in as a person of a role: person("viewer")."""

    def sign_in(role: str) -> Client:
        user = User.objects.create_user(f"a-{role}", password=None, is_staff=True)
        user.groups.add(Group.objects.get(name=role))
        client = Client(headers={"host": "acme.localhost"})
        client.force_login(user, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
        return client

    return sign_in


def test_tags_are_asked_for_and_put_on_the_selected_runs(door: Door, person: Person) -> None:
    home = make_experiment("home")
    runs = make_runs(door, home, 3)
    client = person("contributor")
    query: dict[str, Any] = {"do": "tag", "which": "chosen", "run": runs[:2], "experiment": home.pk}
    page = client.get(ACT, query)
    assert page.context["title"] == "Tag 2 runs"
    assert {run.name for run in page.context["runs"]} == {"run-0", "run-1"}
    form = {"do": "tag", "which": "chosen", "run": runs[:2], "experiment": home.pk, "key": "kept", "value": "1"}
    answer = client.post(ACT, form)
    assert (answer.status_code, answer["location"]) == (302, f"{LIST}?experiment={home.pk}")
    assert set(Run.objects.filter(tags__key="kept").values_list("name", flat=True)) == {"run-0", "run-1"}
    assert AuditEvent.objects.get(action="run.tag").actor == "person:a-contributor"


def test_all_that_the_filter_finds_is_moved_if_it_is_still_as_many(door: Door, person: Person) -> None:
    old, new = make_experiment("old"), make_experiment("new", "churn")
    make_runs(door, old, 4)
    client = person("contributor")
    fields: dict[str, Any] = {"do": "move", "which": "found", "q": "metrics.auc > 0.05", "experiment": old.pk}
    page = client.get(ACT, fields)
    assert (page.context["count"], page.context["title"]) == (3, "Move 3 runs")
    for expected in ("2", "", "x", "9" * 40):
        refused = client.post(ACT, fields | {"to": "new", "expected": expected})
        assert refused.status_code == 409
        assert b"nothing was changed" in refused.content
    assert client.post(ACT, fields | {"to": "new", "expected": "3"}).status_code == 302
    assert Run.objects.filter(experiment=new).count() == 3


@pytest.mark.parametrize("target", ["", "nowhere", "99999999999999999999", "a\x00b", "gone"])
def test_a_bad_target_is_said_on_the_page_and_nothing_moves(door: Door, person: Person, target: str) -> None:
    runs = make_runs(door, make_experiment("old"), 1)
    gone = make_experiment("gone")
    gone.deleted_ms = 1
    gone.save()
    answer = person("contributor").post(ACT, {"do": "move", "run": runs, "to": target})
    assert answer.status_code == 404
    assert b"no such experiment" in answer.content
    assert Run.objects.get().experiment.name == "old"


def test_what_is_thrown_away_is_in_the_trash_and_comes_back(door: Door, person: Person) -> None:
    home = make_experiment("home", "churn")
    LifeRule.objects.create(project=home.project, trash_days=3)
    runs = make_runs(door, home, 2)
    client = person("admin")
    assert client.post(ACT, {"do": "trash", "run": runs}).status_code == 302
    rows = client.get(TRASH).context["rows"]
    assert {row["run"].pk.hex for row in rows} == set(runs)
    assert {(row["goes_at"] - row["deleted_at"]).days for row in rows} == {3}
    assert client.post(ACT, {"do": "restore", "run": runs[:1]})["location"] == TRASH
    assert client.post(ACT, {"do": "delete", "run": runs[:1]}).status_code == 409
    assert client.post(ACT, {"do": "delete", "run": runs[1:]}).status_code == 302
    assert [run.pk.hex for run in Run.objects.all()] == runs[:1]


def test_each_action_needs_its_role(door: Door, person: Person) -> None:
    runs = make_runs(door, make_experiment("home"), 1)
    clients = {role: person(role) for role in ("viewer", "contributor", "approver")}
    for action in ("tag", "move", "trash", "restore", "delete"):
        for method in ("get", "post"):
            assert getattr(clients["viewer"], method)(ACT, {"do": action, "run": runs}).status_code == 403
    for role in ("contributor", "approver"):
        assert clients[role].post(ACT, {"do": "delete", "run": runs}).status_code == 403
    assert b"Throw away" not in clients["viewer"].get(LIST).content
    assert b"Throw away" in clients["contributor"].get(LIST).content
    assert Client(headers={"host": "acme.localhost"}).post(ACT, {"do": "trash", "run": runs}).status_code == 302
    assert Run.objects.filter(deleted_ms=None).count() == 1


def test_a_page_of_another_site_changes_nothing(door: Door, person: Person) -> None:
    runs = make_runs(door, make_experiment("home"), 1)
    person("contributor")
    strict = Client(headers={"host": "acme.localhost"}, enforce_csrf_checks=True)
    strict.force_login(User.objects.get(), backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    assert strict.post(ACT, {"do": "trash", "run": runs}).status_code == 403
    assert Run.objects.filter(deleted_ms=None).count() == 1


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"do": "burn"},
        {"do": "tag", "run": "zzz"},
        {"do": "tag", "run": "0" * 32},
        {"do": "tag", "which": "found", "q": "metrics.a >"},
        {"do": "tag", "which": "found", "status": "GONE", "experiment": "9" * 40},
        {"do": "tag", "which": "found", "project": "x"},
    ],
)
def test_a_bad_address_shows_a_page_that_offers_nothing(person: Person, query: dict[str, str]) -> None:
    client = person("contributor")
    answer = client.get(ACT, query)
    assert answer.status_code == 200
    assert b'class="button primary' not in answer.content
    assert 400 <= client.post(ACT, query).status_code < 500


def test_the_selection_or_all_can_be_exported(door: Door, person: Person) -> None:
    home = make_experiment("home")
    runs = make_runs(door, home, 3)
    client = person("viewer")

    def lines(**query: Any) -> int:
        answer = client.get(LIST, {"experiment": home.pk, **query})
        return len(answer.getvalue().splitlines())

    assert lines(format="jsonl", which="chosen", run=runs[:2]) == 2
    assert lines(format="jsonl", which="found", run=runs[:2]) == 3
    assert lines(format="csv", run=runs[:2]) == 4
    assert lines(format="csv", q="metrics.auc > 0.15") == 2
    bad = client.get(LIST, {"format": "csv", "q": "metrics.a >"})
    assert bad.status_code == 302


def test_a_parquet_file_is_asked_for_and_downloaded_by_who_asked(
    door: Door, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Turns, "send_or_fail", lambda turns: None)
    home, path = make_experiment("home"), "/admin/runs/exports/"
    runs = make_runs(door, home, 3)
    viewer = person("viewer")
    fields: dict[str, Any] = {"experiment": home.pk, "which": "chosen", "run": runs[:2], "c": "m.auc", "sort": "-m.auc"}
    assert b"2 selected runs" in viewer.get(path, fields).content
    assert viewer.post(path, fields).status_code == 302
    made = Export.objects.get()
    wanted = orders.wanted_of(made.question)
    assert sorted(one.hex for page in selection.pages(wanted) for one in page) == sorted(runs[:2])
    assert (made.format, made.question["columns"]) == ("parquet", ["metrics.auc"])
    assert viewer.get(path, {"poll": "1"}).json()["live"] is True
    file = f"{path}{made.pk}/file/"
    assert viewer.get(file).status_code == 404
    Export.objects.update(state="done", blob=blobs.store_text("PAR1"))
    assert viewer.get(file).getvalue() == b"PAR1"
    assert person("admin").get(file).status_code == 404
    for bad in ({"q": "metrics.a >"}, {"which": "chosen", "run": [f"{i:032x}" for i in range(400)]}):
        assert b"No file is written" in viewer.post(path, bad, follow=True).content
    assert Export.objects.count() == 1


def test_a_project_s_page_shows_its_lost_runs_apart(door: Door, person: Person) -> None:
    home = make_experiment("home", "churn")
    runs = make_runs(door, home, 4)
    for run, status in zip(runs, ("FINISHED", "FINISHED", "FAILED", "LOST"), strict=True):
        Run.objects.filter(pk=run).update(status=status)
    page = person("viewer").get(f"/admin/tracking/project/{home.project_id}/change/").content.decode()
    text = " ".join(page.split())
    assert "66.67 % of 3 ended runs" in text
    assert f"?project={home.project_id}&amp;status=LOST" in text
    assert "Trash goes for ever after 30 days" in text
    assert "Change the rules" not in text


def test_only_admins_set_rules_in_the_admin(door: Door, person: Person) -> None:
    home = make_experiment("home", "churn")
    form = {"project": str(home.project_id), "trash_days": "5", "keep_runs_days": "", "lost_after_hours": "1.5"}
    assert person("contributor").post("/admin/tracking/liferule/add/", form).status_code == 403
    admin = person("admin")
    assert admin.post("/admin/tracking/liferule/add/", form | {"trash_days": "-1"}).status_code == 200
    assert admin.post("/admin/tracking/liferule/add/", form).status_code == 302
    rule = LifeRule.objects.get()
    assert (rule.trash_days, rule.lost_after_hours, rule.set_by) == (5, 1.5, "person:a-admin")
    assert AuditEvent.objects.get(action="liferule.add").actor == "person:a-admin"
    assert admin.post("/admin/tracking/liferule/add/", form).status_code == 200
    assert LifeRule.objects.count() == 1
