"""Promotions over REST: asked for, approved by others, declined, taken back, and done once nothing is missing."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.registry.gates import promotions
from apps.registry.models import AliasMove, Approval, Artifact, Evidence, Gate, Promotion
from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.keys import Origin
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.errors import Forbidden
from maestro.principals import Actor, Principal
from tests.factories.gates import FIRST, V1, ask, kinds, make_gate, path_of, points_at, say, two_versions
from tests.factories.sending import send
from tests.factories.two_projects import person_in

ApiFor = Callable[..., Client]


@pytest.fixture
def ci(acme: Tenant, api: ApiFor) -> Client:
    """A contributor's key, with two versions of its making."""
    client = api(acme)
    two_versions(client)
    return client


def test_a_new_tenant_protects_what_serves_and_nothing_else(ci: Client) -> None:
    assert list(Gate.objects.values_list("name", "approvals")) == [(FIRST, 1)]
    path = f"{V1}artifacts/churn/aliases/"
    for alias in ("serving", "production"):
        answer = send(ci, "put", f"{path}{alias}/", {"version": "1"})
        assert (answer.status_code, kinds(answer)) == (409, ["approvals"])
        assert "POST /api/v1/artifacts/churn/promotions/" in answer.json()["detail"]
    assert send(ci, "put", f"{path}champion/", {"version": "1"}).status_code == 201
    assert not Promotion.objects.exists()


def test_a_promotion_waits_for_an_approver_whose_word_moves_the_alias(acme: Tenant, ci: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"))
    asked = ask(ci, why="better")
    assert (asked.status_code, asked.json()["state"], asked.json()["missing_approvals"]) == (202, "waiting", 1)
    assert points_at(ci) is None
    again = ask(ci, why="better")
    assert (again.status_code, again.json()["id"]) == (202, asked.json()["id"])
    done = say(api(acme, "approver"), path_of(asked), why="looks good")
    assert (done.status_code, done.json()["state"]) == (200, "done"), done.content
    assert points_at(ci) == "1"
    kept = Evidence.objects.get()
    assert (kept.made_by, kept.asked_by, kept.moved_by, kept.why) == (
        "key:contributor",
        "key:contributor",
        "key:approver",
        "better",
    )
    assert [(row["kind"], row["is_met"]) for row in kept.outcomes] == [("state", True), ("approvals", True)]
    assert kept.outcomes[1]["facts"]["given"][0]["why"] == "looks good"
    assert kept.gates[0]["name"] == "Gate"
    move = AliasMove.objects.get()
    assert (move.act, move.from_number, move.to_number, move.evidence_id) == ("set", None, 1, kept.pk)
    assert list(AuditEvent.objects.filter(object_type__in=("Promotion", "Alias")).values_list("action", flat=True)) == [
        "alias.set",
        "promotion.approve",
        "promotion.ask",
    ]
    shown = ci.get(path_of(asked)).json()
    assert shown["conditions"] == kept.outcomes
    assert [(row["by"], row["decision"], row["counts"]) for row in shown["words"]] == [
        ("key:approver", "approve", True)
    ]


def test_nobody_approves_what_they_made_or_ask_for(acme: Tenant, api: ApiFor) -> None:
    admin, approver = api(acme, "admin"), api(acme, "approver")
    make_gate(admin)
    two_versions(approver)
    own = ask(approver)
    assert own.status_code == 202
    refused = say(approver, path_of(own))
    assert (refused.status_code, refused.json()["code"]) == (403, "own_promotion")
    by_other = ask(admin, version="2")
    author = say(approver, path_of(by_other))
    assert (author.status_code, author.json()["code"]) == (403, "own_promotion")
    assert not Approval.objects.exists()
    assert say(admin, path_of(own)).json()["state"] == "done"


def test_two_approvals_are_of_two_people(acme: Tenant, ci: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"), approvals=2)
    path, one = path_of(ask(ci)), api(acme, "approver")
    assert say(one, path).json()["missing_approvals"] == 1
    twice = say(one, path)
    assert (twice.status_code, twice.json()["code"]) == (409, "already_approved")
    assert say(api(acme, "admin"), path).json()["state"] == "done"


def test_an_approval_of_what_has_changed_is_refused_and_an_older_one_no_longer_counts(
    acme: Tenant, ci: Client, api: ApiFor
) -> None:
    admin, approver = api(acme, "admin"), api(acme, "approver")
    gate = make_gate(admin, approvals=2)
    path = path_of(ask(ci))
    seen = approver.get(path)["ETag"]
    assert say(admin, path).json()["missing_approvals"] == 1
    stale = say(approver, path, etag=seen)
    assert stale.status_code == 412
    seen = approver.get(path)["ETag"]
    where = f"{V1}gates/{gate['id']}/"
    changed = send(admin, "patch", where, {"sections": ["Use"]}, If_Match=admin.get(where)["ETag"])
    assert (changed.status_code, changed.json()["revision"]) == (200, 2)
    assert say(approver, path, etag=seen).status_code == 412
    shown = approver.get(path).json()
    assert (shown["missing_approvals"], [row["counts"] for row in shown["words"]]) == (2, [False])
    assert [row["kind"] for row in shown["conditions"] if not row["is_met"]] == ["sections", "approvals"]
    assert send(approver, "post", f"{path}approvals/", {"decision": "approve"}).status_code == 428


def test_an_approval_stands_while_something_else_is_missing_and_asking_again_moves(
    acme: Tenant, ci: Client, api: ApiFor
) -> None:
    admin = api(acme, "admin")
    path = path_of(ask(ci, alias="serving"))
    make_gate(admin, name="Later", aliases=["serving"], approvals=0, sections=["Use"])
    approved = say(api(acme, "approver"), path)
    assert (approved.status_code, approved.json()["state"], approved.json()["missing_approvals"]) == (200, "waiting", 0)
    refused = ask(ci, alias="serving")
    assert (refused.status_code, kinds(refused)) == (409, ["sections"])
    where = f"{V1}artifacts/churn/"
    card = {"card": "# Use\n\nFor letters.\n"}
    assert send(ci, "patch", where, card, If_Match=ci.get(where)["ETag"]).status_code == 200
    # What the approver saw has changed with the card, so they are asked again.
    assert ask(ci, alias="serving").status_code == 202
    assert say(api(acme, "approver"), path).json()["state"] == "done"


def test_a_gate_that_is_deleted_leaves_nothing_waiting_for_ever(acme: Tenant, ci: Client, api: ApiFor) -> None:
    admin = api(acme, "admin")
    gate = make_gate(admin)
    path = path_of(ask(ci))
    where = f"{V1}gates/{gate['id']}/"
    assert send(admin, "delete", where).status_code == 428
    assert send(admin, "delete", where, If_Match=admin.get(where)["ETag"]).status_code == 204
    assert ci.get(path).json()["missing_approvals"] == 0
    assert ask(ci).json()["state"] == "done"
    assert points_at(ci) == "1"
    assert not Evidence.objects.exists()


def test_a_promotion_is_declined_or_withdrawn_and_then_over(acme: Tenant, ci: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"))
    path, approver = path_of(ask(ci)), api(acme, "approver")
    no = say(approver, path, "decline", why="not yet")
    assert (no.json()["state"], no.json()["words"][0]["why"]) == ("declined", "not yet")
    assert say(approver, path).json()["code"] == "promotion_ended"
    second = path_of(ask(ci))
    assert second != path
    other = api(acme, "contributor")
    assert api(acme, "viewer").delete(second).status_code == 403
    assert (
        other.delete(second).status_code == 204
    )  # a key of the same name is the same key's successor, for all we know
    assert Promotion.objects.waiting().count() == 0
    assert points_at(ci) is None


def test_a_dry_run_answers_and_changes_nothing(acme: Tenant, ci: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"), files=["MLmodel"])
    path = f"{V1}artifacts/churn/promotions/?dry_run=true"
    told = send(ci, "post", path, {"version": "1", "alias": "gated"}).json()
    assert (told["would"], told["missing_approvals"]) == ("be refused", 1)
    assert [(row["kind"], row["is_met"]) for row in told["conditions"]] == [
        ("state", True),
        ("files", False),
        ("approvals", False),
    ]
    assert told["conditions"][1]["text"] == "it has no MLmodel"
    open_one = send(ci, "post", path, {"version": "1", "alias": "open"}).json()
    assert (open_one["would"], open_one["conditions"]) == ("be done", [])
    assert not Promotion.objects.exists()
    assert send(ci, "post", path.replace("true", "maybe"), {"version": "1", "alias": "a"}).status_code == 400


def test_an_open_alias_is_promoted_at_once_without_evidence(ci: Client) -> None:
    done = ask(ci, alias="open")
    assert (done.status_code, done.json()["state"]) == (201, "done")
    assert points_at(ci, alias="open") == "1"
    assert not Evidence.objects.exists()
    there = ask(ci, alias="open")
    assert (there.status_code, there.json()["code"]) == (409, "already_there")


def test_a_stage_is_promoted_to_and_what_was_there_is_archived(acme: Tenant, ci: Client, api: ApiFor) -> None:
    approver = api(acme, "approver")
    for number in ("1", "2"):
        path = path_of(ask(ci, version=number, stage="production"))
        assert say(approver, path).json()["state"] == "done"
    latest = ci.get("/api/2.0/mlflow/registered-models/get", {"name": "churn"}).json()["registered_model"]
    assert {row["current_stage"]: row["version"] for row in latest["latest_versions"]} == {
        "Archived": "1",
        "Production": "2",
    }
    assert [(one.number, one.before_number) for one in Evidence.objects.order_by("id")] == [(1, None), (2, 1)]


@pytest.mark.parametrize(
    "body",
    [
        {"version": "1"},
        {"version": "1", "alias": "a", "stage": "Production"},
        {"version": "1", "alias": "latest"},
        {"version": "1", "alias": "7"},
        {"version": "1", "stage": "Archived"},
        {"version": "1", "stage": "Nowhere"},
        {"version": "1", "alias": "a", "why": "x" * 2001},
        {"version": 1, "alias": "a"},
        {"alias": "a"},
        {"version": "1", "alias": "a", "force": True},
        [],
    ],
)
def test_what_is_not_a_promotion_is_refused(ci: Client, body: Any) -> None:
    answer = send(ci, "post", f"{V1}artifacts/churn/promotions/", body)
    assert answer.status_code == 400, answer.content
    assert not Promotion.objects.exists()


def test_a_version_that_is_not_there_is_not_promoted(ci: Client) -> None:
    assert ask(ci, version="9").status_code == 404
    assert ask(ci, name="nothing").status_code == 404


def test_a_key_beside_ones_name_makes_nobody_two(acme: Tenant, api: ApiFor) -> None:
    """Who approves is neither the author nor who asks, whichever of their keys did that."""
    make_gate(api(acme, "admin"))
    ana = User.objects.create(username="ana")
    origin = Origin(person_id=ana.pk)
    job, other = api(acme, origin=origin), api(acme, "approver", origin=origin)
    two_versions(job)
    path = path_of(ask(job))
    refused = say(other, path)
    assert (refused.status_code, refused.json()["code"]) == (403, "own_promotion"), refused.content
    herself = Actor("person:ana", "approver", who=Principal("person", str(ana.pk), "ana", "approver", acme.schema_name))
    with pytest.raises(Forbidden, match="a key of yours"):
        promotions.approve(Promotion.objects.get(), herself, at=timezone.now(), guard=lambda held: None)
    assert not promotions.waiting_for(herself).exists()
    assert say(api(acme, "approver"), path).json()["state"] == "done"


@pytest.mark.parametrize("roles", ["viewer of all", "viewer of this, contributor of another"])
def test_who_only_looks_asks_for_nothing_again(acme: Tenant, api: ApiFor, roles: str) -> None:
    """The page of a promotion that has ended can ask anew: where no gate stands any more, that moved the alias for a viewer."""
    contributor = api(acme)
    two_versions(contributor)
    home, other = (Project.objects.create(slug=slug, name=slug) for slug in ("home", "other"))
    Artifact.objects.update(project=home)
    for version in "12":
        assert ask(contributor, version=version, alias="champion").status_code == 201
    first = Promotion.objects.order_by("id")[0]
    person = person_in({}, "viewer") if roles == "viewer of all" else person_in({home: "viewer", other: "contributor"})
    browser = Client(headers={"host": "acme.localhost"})
    browser.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    for do in ("again", "approve", "decline", "withdraw"):
        assert browser.post(f"/admin/promotions/{first.pk}/decide/", {"do": do}).status_code == 302
    assert points_at(contributor, alias="champion") == "2"
    assert Promotion.objects.count() == 2
