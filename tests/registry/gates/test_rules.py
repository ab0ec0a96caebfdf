"""Gates over REST: who makes and sees which, what counts for what, and what is no gate."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Artifact, Evidence, Gate, Promotion
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro import limits
from tests.factories.gates import FIRST, V1, ask, kinds, make_gate, path_of, say, two_versions
from tests.factories.sending import send
from tests.factories.two_projects import person_in, speaking_as

ApiFor = Callable[..., Client]
PATH = f"{V1}gates/"


def names(client: Client, **query: str) -> list[str]:
    return [row["name"] for row in client.get(PATH, query).json()["results"]]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"aliases": []},
        {"aliases": ["a"]},
        {"aliases": ["a"], "approvals": 11},
        {"aliases": ["a"], "approvals": -1},
        {"aliases": ["a"], "approvals": True},
        {"aliases": ["a"], "approvals": 1, "name": " "},
        {"aliases": ["a"] * 51, "approvals": 1},
        {"aliases": ["a" * 256], "approvals": 1},
        {"stages": ["Archived"], "approvals": 1},
        {"stages": ["Production"], "files": ["../x"]},
        {"stages": ["Production"], "files": ["/x"]},
        {"stages": ["Production"], "max_run_age_hours": 0},
        {"stages": ["Production"], "max_run_age_hours": 1e300},
        {"stages": ["Production"], "metrics": [{"metric": "auc", "operator": ">="}]},
        {"stages": ["Production"], "metrics": [{"metric": "auc", "operator": ">", "value": 1}]},
        {"stages": ["Production"], "metrics": [{"metric": "auc", "operator": ">=", "value": 1, "baseline": "a"}]},
        {"stages": ["Production"], "metrics": [{"metric": " ", "operator": ">=", "value": 1}]},
        {"stages": ["Production"], "metrics": "auc >= 1"},
        {"stages": ["Production"], "approvals": 1, "kind": "spell"},
        {"stages": ["Production"], "approvals": 1, "artifact": "nothing"},
        {"stages": ["Production"], "approvals": 1, "project": "nothing"},
        {"stages": ["Production"], "approvals": 1, "revision": 7},
    ],
)
def test_what_is_no_gate_is_refused(acme: Tenant, api: ApiFor, facts: dict[str, Any]) -> None:
    answer = send(api(acme, "admin"), "post", PATH, {"name": "Gate"} | facts)
    assert answer.status_code == 400, answer.content
    assert Gate.objects.count() == 1


def test_a_name_is_given_once_and_a_gate_of_one_artifact_is_of_nothing_else(acme: Tenant, api: ApiFor) -> None:
    admin = api(acme, "admin")
    two_versions(admin)
    made = make_gate(admin, artifact="churn")
    assert (made["artifact"], made["revision"]) == ("churn", 1)
    same = send(admin, "post", PATH, {"name": "Gate", "aliases": ["a"], "approvals": 1})
    assert (same.status_code, same.json()["code"]) == (409, "already_exists")
    both = send(
        admin, "post", PATH, {"name": "B", "artifact": "churn", "kind": "model", "aliases": ["a"], "approvals": 1}
    )
    assert (both.status_code, both.json()["errors"][0]["pointer"]) == (400, "/artifact")


def test_only_admins_make_gates_and_everybody_sees_them(acme: Tenant, api: ApiFor) -> None:
    for role in ("viewer", "contributor", "approver"):
        client = api(acme, role)
        assert send(client, "post", PATH, {"name": "x", "aliases": ["a"], "approvals": 1}).status_code == 403
        assert names(client) == [FIRST]
        first = f"{PATH}{client.get(PATH).json()['results'][0]['id']}/"
        assert send(client, "delete", first, If_Match="*").status_code == 403


def test_gates_add_up_and_each_counts_for_what_it_says(acme: Tenant, api: ApiFor) -> None:
    admin = api(acme, "admin")
    two_versions(admin, "m", "model")
    two_versions(admin, "n", "notebook")
    Project.objects.create(slug="p", name="P")
    make_gate(admin, name="Models", kind="model", approvals=0, sections=["Use"])
    make_gate(admin, name="One", artifact="m", approvals=0, files=["MLmodel"])
    make_gate(admin, name="Elsewhere", project="p", approvals=0, files=["elsewhere"])
    make_gate(admin, name="Every", aliases=["*"], approvals=1, artifact="n")
    assert (names(admin, artifact="m"), names(admin, artifact="n")) == (["Models", "One", FIRST], ["Every", FIRST])
    assert sorted(kinds(ask(admin, "m"))) == ["files", "sections"]
    assert ask(admin, "n", alias="anything").status_code == 202


def test_a_project_s_admin_rules_its_own_gates_and_sees_no_others(acme: Tenant, api: ApiFor) -> None:
    mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    admin = api(acme, "admin")
    for name, project in (("shared", None), ("m", mine), ("t", theirs)):
        two_versions(admin, name)
        Artifact.objects.filter(name=name).update(project=project)
    other = make_gate(admin, name="Theirs", project="theirs")
    of_artifact = make_gate(admin, name="T", artifact="t")
    shared = make_gate(admin, name="Shared", artifact="shared")
    boss = speaking_as(acme, person_in({mine: "admin"}))
    assert names(boss) == ["Shared", FIRST]
    made = make_gate(boss, name="Ours")  # the only project in reach
    assert made["project"] == "mine"
    for gate in (other, of_artifact):
        assert boss.get(f"{PATH}{gate['id']}/").status_code == 404
        assert send(boss, "delete", f"{PATH}{gate['id']}/", If_Match="*").status_code == 404
    assert send(boss, "patch", f"{PATH}{shared['id']}/", {"approvals": 0}, If_Match="*").status_code == 403
    for facts in ({"artifact": "shared"}, {"project": None, "artifact": None}):
        refused = send(boss, "patch", f"{PATH}{made['id']}/", {"project": None} | facts, If_Match="*")
        assert refused.status_code == 403, refused.content
    for facts in ({"project": "theirs"}, {"artifact": "t"}):
        assert send(boss, "post", PATH, {"name": "x", "aliases": ["a"], "approvals": 1} | facts).status_code == 400
    assert Gate.objects.get(name="Ours").project == mine


def test_an_approver_of_one_project_approves_nothing_of_another_or_shared(acme: Tenant, api: ApiFor) -> None:
    mine, theirs = (Project.objects.create(slug=slug, name=slug) for slug in ("mine", "theirs"))
    admin, paths = api(acme, "admin"), {}
    for name, project in (("shared", None), ("m", mine), ("t", theirs)):
        two_versions(admin, name)
        Artifact.objects.filter(name=name).update(project=project)
        paths[name] = path_of(ask(admin, name, alias="serving"))
    ada = speaking_as(acme, person_in({mine: "approver", theirs: "contributor"}, name="ada"))
    bob = speaking_as(acme, person_in({mine: "approver"}, name="bob"))
    assert say(ada, paths["t"]).status_code == 404
    assert say(ada, paths["shared"]).status_code == 403
    assert send(bob, "post", f"{paths['t']}approvals/", {"decision": "approve"}, If_Match="*").status_code == 404
    assert bob.get(paths["t"]).status_code == 404
    assert Promotion.objects.waiting().count() == 3
    assert say(bob, paths["m"]).json()["state"] == "done"
    evidence = f"{V1}artifacts/{{}}/evidence/"
    assert [row["moved_by"] for row in bob.get(evidence.format("m")).json()["results"]] == ["person:bob"]
    assert bob.get(evidence.format("t")).status_code == 404


def test_what_was_found_is_kept_and_told(acme: Tenant, api: ApiFor) -> None:
    admin = api(acme, "admin")
    two_versions(admin)
    assert say(api(acme, "approver"), path_of(ask(admin, alias="serving"))).status_code == 200
    (row,) = api(acme, "viewer").get(f"{V1}artifacts/churn/evidence/").json()["results"]
    kept = Evidence.objects.get()
    assert (row["version"], row["digest"], row["act"]) == ("1", kept.digest, "promotion")
    assert row["gates"][0]["name"] == FIRST
    assert row["conditions"] == kept.outcomes


def test_all_gates_together_have_few_bounds(acme: Tenant, api: ApiFor) -> None:
    """Each is a question or two to the database wherever one of them stands: 25,000 took a promotion minutes."""
    admin = api(acme, "admin")
    bounds = [{"metric": f"m{number}", "operator": ">=", "value": 1} for number in range(limits.GATE_NAMES)]
    facts = {"aliases": ["a"], "metrics": bounds}
    for number in range(limits.GATE_BOUNDS // limits.GATE_NAMES):
        assert send(admin, "post", PATH, facts | {"name": f"g{number}"}).status_code == 201
    over = send(admin, "post", PATH, facts | {"name": "over", "metrics": bounds[:1]})
    assert (over.status_code, over.json()["code"]) == (409, "too_many_bounds")
    assert send(admin, "post", PATH, {"name": "plain", "aliases": ["a"], "approvals": 1}).status_code == 201
    plain = admin.get(PATH, {"limit": 500}).json()["results"]
    assert len(plain) == limits.GATE_BOUNDS // limits.GATE_NAMES + 2
