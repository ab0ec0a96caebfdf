"""No way leads around a gate: deleting, archiving, renaming, moving between stages, projects and kinds are for approvers."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Alias, AliasMove, Artifact, ArtifactVersion, Evidence
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.gates import V1, ask, make_gate, path_of, points_at, say, two_versions
from tests.factories.sending import send

ApiFor = Callable[..., Client]
MLFLOW = "/api/2.0/mlflow/"


@pytest.fixture
def ci(acme: Tenant, api: ApiFor) -> Client:
    """A contributor's key, with version 1 at `serving` and in Production by an approver's word, and version 2 nowhere."""
    client = api(acme)
    two_versions(client)
    for target in ({"alias": "serving"}, {"stage": "Production"}):
        assert say(api(acme, "approver"), path_of(ask(client, **target))).json()["state"] == "done"
    return client


def call(client: Client, method: str, path: str, **body: Any) -> Any:
    return send(client, method, f"{MLFLOW}{path}", {"name": "churn"} | body)


ACTS: dict[str, Callable[[Client], Any]] = {
    "delete the alias": lambda c: call(c, "delete", "registered-models/alias", alias="serving"),
    "delete the version": lambda c: call(c, "delete", "model-versions/delete", version="1"),
    "delete the model": lambda c: call(c, "delete", "registered-models/delete"),
    "rename the model": lambda c: call(c, "post", "registered-models/rename", new_name="other"),
    "move to Archived": lambda c: call(c, "post", "model-versions/transition-stage", version="1", stage="Archived"),
    "move to Staging": lambda c: call(c, "post", "model-versions/transition-stage", version="1", stage="Staging"),
}


@pytest.mark.parametrize("act", ACTS)
def test_what_serves_is_taken_away_by_approvers_only(acme: Tenant, ci: Client, api: ApiFor, act: str) -> None:
    refused = ACTS[act](ci)
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED"), refused.content
    assert "only an approver may do this" in refused.json()["message"]
    assert (points_at(ci, alias="serving"), ArtifactVersion.objects.get(number=1).stage) == ("1", "Production")
    before = Evidence.objects.count()
    assert ACTS[act](api(acme, "approver")).status_code == 200
    assert (Evidence.objects.count() > before) is (act != "rename the model")


@pytest.mark.parametrize("way", ["alias", "stage"])
def test_another_version_does_not_take_the_place_alone(acme: Tenant, ci: Client, api: ApiFor, way: str) -> None:
    for role in ("contributor", "approver", "admin"):
        client = api(acme, role)
        if way == "alias":
            answer = call(client, "post", "registered-models/alias", alias="serving", version="2")
        else:
            fields = {"version": "2", "stage": "Production", "archive_existing_versions": True}
            answer = call(client, "post", "model-versions/transition-stage", **fields)
        assert (answer.status_code, answer.json()["error_code"]) == (409, "RESOURCE_CONFLICT")
    assert (points_at(ci, alias="serving"), ArtifactVersion.objects.get(number=1).stage) == ("1", "Production")


def test_a_promotion_that_has_its_approvals_is_done_by_the_stock_client_too(
    acme: Tenant, ci: Client, api: ApiFor
) -> None:
    admin = api(acme, "admin")
    make_gate(admin, name="Files", aliases=["serving"], approvals=0, sections=["Use"])
    where = f"{V1}artifacts/churn/"
    assert send(ci, "patch", where, {"card": "# Use\nx"}, If_Match=ci.get(where)["ETag"]).status_code == 200
    path = path_of(ask(ci, version="2", alias="serving"))
    assert send(ci, "patch", where, {"card": ""}, If_Match=ci.get(where)["ETag"]).status_code == 200
    assert say(api(acme, "approver"), path).json()["state"] == "waiting"
    set_alias = lambda: call(ci, "post", "registered-models/alias", alias="serving", version="2")  # noqa: E731
    assert set_alias().status_code == 409
    gate = next(row for row in admin.get(f"{V1}gates/").json()["results"] if row["name"] == "Files")
    address = f"{V1}gates/{gate['id']}/"
    assert send(admin, "delete", address, If_Match=admin.get(address)["ETag"]).status_code == 204
    assert say(api(acme, "approver"), path).json()["state"] == "done"
    assert set_alias().status_code == 200
    assert points_at(ci, alias="serving") == "2"


def test_a_served_version_is_not_archived_by_a_contributor(acme: Tenant, ci: Client, api: ApiFor) -> None:
    approver = api(acme, "approver")
    assert call(approver, "delete", "registered-models/alias", alias="serving").status_code == 200
    path = f"{V1}artifacts/churn/versions/1/"
    refused = send(ci, "patch", path, {"state": "archived"}, If_Match=ci.get(path)["ETag"])
    assert (refused.status_code, refused.json()["code"]) == (403, "gate_refused")
    assert send(approver, "patch", path, {"state": "archived"}, If_Match=ci.get(path)["ETag"]).status_code == 200


def test_archiving_what_stands_beside_oneself_is_for_approvers(acme: Tenant, ci: Client, api: ApiFor) -> None:
    ArtifactVersion.objects.filter(number=2).update(stage="Production")
    fields = {"version": "2", "stage": "Production", "archive_existing_versions": True}
    assert call(ci, "post", "model-versions/transition-stage", **fields).status_code == 403
    assert call(api(acme, "approver"), "post", "model-versions/transition-stage", **fields).status_code == 200
    assert ArtifactVersion.objects.get(number=1).stage == "Archived"


@pytest.mark.parametrize("facts", [{"kind": "notebook"}, {"project": None}])
def test_no_change_of_kind_or_project_leaves_a_gate(acme: Tenant, api: ApiFor, facts: dict[str, Any]) -> None:
    project, admin = Project.objects.create(slug="p", name="P"), api(acme, "admin")
    make_gate(admin, **({"kind": "model"} if "kind" in facts else {"project": "p"}))
    ci = api(acme)
    two_versions(ci, name="m")
    Artifact.objects.filter(name="m").update(project=project)
    path = f"{V1}artifacts/m/"
    refused = send(ci, "patch", path, facts, If_Match=ci.get(path)["ETag"])
    assert (refused.status_code, refused.json()["code"]) == (403, "gate_refused")
    assert send(ci, "patch", path, {"description": "x"}, If_Match=ci.get(path)["ETag"]).status_code == 200
    assert send(admin, "patch", path, facts, If_Match=ci.get(path)["ETag"]).status_code == 200


def test_deleting_keeps_what_was_kept(acme: Tenant, ci: Client, api: ApiFor) -> None:
    assert call(api(acme, "approver"), "delete", "registered-models/delete").status_code == 200
    assert not Artifact.objects.exists()
    assert not Alias.objects.exists()
    assert set(Evidence.objects.values_list("artifact_name", "act")) == {("churn", "promotion"), ("churn", "removal")}
    last = AliasMove.objects.order_by("-id")[0]
    assert (last.act, last.from_number, last.to_number, last.why) == ("delete", 1, None, "the artifact was deleted")


def test_a_lower_protected_stage_is_no_way_out_of_a_higher_one(acme: Tenant, ci: Client, api: ApiFor) -> None:
    make_gate(api(acme, "admin"), name="Staging", aliases=[], stages=["Staging"], approvals=0, files=["content.txt"])
    down = {"version": "1", "stage": "Staging"}
    refused = call(ci, "post", "model-versions/transition-stage", **down)
    assert (refused.status_code, refused.json()["error_code"]) == (403, "PERMISSION_DENIED"), refused.content
    assert ArtifactVersion.objects.get(number=1).stage == "Production"
    assert call(ci, "post", "model-versions/transition-stage", version="2", stage="Staging").status_code == 200
    assert call(api(acme, "approver"), "post", "model-versions/transition-stage", **down).status_code == 200
