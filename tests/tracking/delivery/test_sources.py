"""What counts as a deployment: a forge's word or a serving alias that moves; and incidents, which say that one failed."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.registry import aliases
from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.models import Tenant
from apps.tracking.delivery import failures, first_models, incidents, lead_times, rules, team
from apps.tracking.delivery.shipped import shipped
from apps.tracking.delivery.team import Period
from apps.tracking.models import Connection, DeliveryRule, Experiment, Incident, Project, Run, Tag
from maestro.clock import to_ms
from maestro.errors import Invalid
from tests.factories.forge_payloads import BEGIN, github_deployment, github_push, sha
from tests.factories.two_projects import person_in, speaking_as
from tests.tracking.admin.test_page_costs import signed_in
from tests.tracking.delivery.test_reading import SYSTEM, connected, deliver, read_all

DAY = timedelta(days=1)
UNTIL = BEGIN + 60 * DAY


def project_of(slug: str, **facts: object) -> Project:
    return Project.objects.create(slug=slug, name=slug, **facts)


def a_model(name: str, project: Project | None, runs_of: Project, commits: list[str]) -> list[ArtifactVersion]:
    """A model with a version of a run for each commit, a day apart."""
    home, _ = Experiment.objects.get_or_create(name=f"e {runs_of.slug}", project=runs_of, created_ms=1, updated_ms=1)
    artifact = Artifact.objects.create(name=name, kind="model", project=project, created_ms=1, updated_ms=1)
    versions = []
    for number, commit in enumerate(commits, 1):
        at = to_ms(BEGIN + number * DAY)
        run = Run.objects.create(experiment=home, name="r", start_ms=at, last_write_ms=at)
        Tag.objects.create(run=run, key="mlflow.source.git.commit", value=commit)
        facts: dict[str, Any] = {"state": "ready", "created_ms": at, "updated_ms": at}
        versions.append(ArtifactVersion.objects.create(artifact=artifact, number=number, run=run, **facts))
    return versions


def move(version: ArtifactVersion, at: datetime, alias: str = "champion") -> None:
    aliases.point(version.artifact, alias, version, SYSTEM, at=at)


def ship(project: Project) -> list[str]:
    return [row.what for row in shipped([project.pk], BEGIN, UNTIL)]


def test_a_moved_serving_alias_is_a_deployment_where_no_forge_tells_of_any(acme: Tenant) -> None:
    mine = project_of("mine")
    one, two, _ = a_model("m", mine, mine, ["a" * 40, "b" * 40, "c" * 40])
    move(one, BEGIN + DAY)
    move(two, BEGIN + 2 * DAY)
    move(two, BEGIN + 2 * DAY, alias="candidate")  # which serves nobody
    aliases.roll_back(two.artifact, "champion", SYSTEM, at=BEGIN + 3 * DAY)
    rows = shipped([mine.pk], BEGIN, UNTIL)
    assert [row.what for row in rows] == ["m@champion v1", "m@champion v2", "m@champion v1"]
    assert [row.is_rollback for row in rows] == [False, False, True]
    judged = failures.judge(rows, UNTIL)
    assert [row.what for row in judged.failed] == ["m@champion v2"]
    assert [(span.start, span.end) for span in judged.spans] == [(BEGIN + 2 * DAY, BEGIN + 3 * DAY)]
    aliases.take_away(one.artifact, "champion", SYSTEM, at=BEGIN + 4 * DAY)
    assert len(ship(mine)) == 3
    rules.set_rule(mine, {"serving_aliases": ["candidate"]}, by=SYSTEM)
    assert ship(mine) == ["m@candidate v2"]


def test_each_project_has_one_source_and_none_counts_anothers(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, list(github_deployment(1, BEGIN + DAY)))
    read_all()
    mine, other = of.project, project_of("other")
    version = a_model("m", mine, mine, ["a" * 40])[0]
    shared = a_model("shared", None, other, ["a" * 40])[0]
    for one in (version, shared):
        move(one, BEGIN + 2 * DAY)
    assert [what.partition(" ")[0] for what in ship(mine)] == ["production"]
    rules.set_rule(mine, {"source": "alias"}, by=SYSTEM)
    assert ship(mine) == ["m@champion v1"]
    rules.set_rule(mine, {"source": "forge"}, by=SYSTEM)
    assert [what.partition(" ")[0] for what in ship(mine)] == ["production"]
    assert ship(other) == ["shared@champion v1"]
    assert len(shipped(None, BEGIN, UNTIL)) == 2


def test_a_commit_waits_until_a_model_of_it_serves(acme: Tenant) -> None:
    """Three pushes of two commits; models of the heads of the first and the third serve a day after their push."""
    of = connected("github")
    deliver(of, [github_push(number, BEGIN + number * DAY) for number in (1, 2, 3)])
    read_all()
    heads = [sha("commit", number, 1) for number in (1, 3)]
    first, second = a_model("m", of.project, of.project, heads)
    move(first, BEGIN + 2 * DAY)
    move(second, BEGIN + 4 * DAY)
    assert lead_times.leads([of.project_id], BEGIN, UNTIL) == []
    rules.set_rule(of.project, {"source": "alias"}, by=SYSTEM)
    hours = sorted(one.seconds / 3_600 for one in lead_times.leads([of.project_id], BEGIN, UNTIL))
    assert hours == pytest.approx([25.0, 48.5, 49.0])  # merges are left out, as with a forge
    assert lead_times.leads([project_of("other").pk], BEGIN, UNTIL) == []


def test_projects_without_a_model_yet_count_in_the_time_to_the_first(acme: Tenant) -> None:
    for number in range(6):
        mine = project_of(f"p{number}", starts_at=BEGIN)
        versions = a_model(f"m{number}", mine, mine, ["a" * 40] * (number % 3))
        if number % 3 == 2:
            move(versions[0], BEGIN + 10 * DAY)
    late = project_of("late")
    a_model("of late", late, late, ["a" * 40])  # began with its first run, a day later
    found = first_models.measures(None, BEGIN, UNTIL)
    assert (found["first_registered"].n, found["first_registered"].open_n) == (7, 2)
    assert found["first_registered"].median == DAY.total_seconds()
    assert (found["first_serving"].n, found["first_serving"].open_n, found["first_serving"].median) == (7, 5, None)
    rows = first_models.begun([late.pk], BEGIN, UNTIL)["first_registered"]
    assert [(row.name, row.at, row.seconds, row.is_over) for row in rows] == [("late", BEGIN + DAY, 0.0, True)]
    assert first_models.begun([late.pk], UNTIL, UNTIL + DAY)["first_serving"] == []


def test_an_incident_says_that_the_last_deployment_failed_and_how_long(acme: Tenant) -> None:
    mine, other = project_of("mine"), project_of("other")
    versions = a_model("m", mine, mine, [c * 40 for c in "abc"])
    for number, version in enumerate(versions):
        move(version, BEGIN + number * 10 * DAY)

    def tell(project: Project, days: float, hours: float | None) -> None:
        at = BEGIN + days * DAY
        until = None if hours is None else at + timedelta(hours=hours)
        incidents.open_one(project, {"title": "x", "opened_at": at, "resolved_at": until}, by=SYSTEM, at=at)

    tell(mine, 1, 2)
    tell(mine, 2, 3)  # the same deployment fails once
    tell(mine, 18, 4)  # more than a week after the second
    tell(mine, 21, None)
    tell(other, 11, 9)
    period = Period([mine.pk], BEGIN, UNTIL)
    judged = period.judged()
    assert {row.what for row in judged.failed} == {"m@champion v1", "m@champion v3"}
    lasted = sorted(seconds for _, (seconds, is_over) in team.recoveries(period, judged) if is_over)
    assert lasted == [7_200.0, 10_800.0, 14_400.0]
    found = team.deployments(period)
    assert (found["change_fail_rate"].n, found["change_fail_rate"].value) == (3, 2 / 3)
    assert (found["recovery_time"].n, found["recovery_time"].open_n) == (4, 1)


def test_what_an_incident_tells_of_a_rolled_back_deployment_counts_once(acme: Tenant) -> None:
    mine = project_of("mine")
    one, two = a_model("m", mine, mine, ["a" * 40, "b" * 40])
    move(one, BEGIN)
    move(two, BEGIN + DAY)
    aliases.roll_back(two.artifact, "champion", SYSTEM, at=BEGIN + 3 * DAY)
    at = BEGIN + 2 * DAY
    incidents.open_one(mine, {"title": "x", "opened_at": at, "resolved_at": at + DAY}, by=SYSTEM, at=at)
    judged = Period([mine.pk], BEGIN, UNTIL).judged()
    assert [row.what for row in judged.failed] == ["m@champion v2"]
    assert [(span.start, span.end) for span in judged.spans] == [(at, at + DAY)]


BAD: dict[str, Any] = {
    "unknown_field": {"title": "x", "severity": 1},
    "blank title": {"title": "  "},
    "no time": {"title": "x", "opened_at": "yesterday"},
    "too early": {"title": "x", "opened_at": "0001-01-01T00:00:00Z"},
    "too late": {"title": "x", "opened_at": "9999-12-31T23:59:59Z"},
    "ends before": {"title": "x", "opened_at": "2026-05-04T09:00:00Z", "resolved_at": "2026-05-04T08:00:00Z"},
    "long": {"title": "x" * 251},
    "number": {"title": 5},
    "nul": {"title": "a\x00b"},
}


def test_incidents_by_api(acme: Tenant, api: Callable[..., Client]) -> None:
    project_of("mine")
    client, path = api(acme, "contributor"), "/api/v1/incidents/"

    def post(body: Any, **headers: str) -> Any:
        return client.post(path, body, content_type="application/json", headers=headers)

    for name, body in BAD.items():
        assert post({"project": "mine", **body}).status_code == 400, name
    assert post({"project": "nowhere", "title": "x"}).status_code == 404
    made = [post({"project": "mine", "title": "stale"}, idempotency_key="pager-1").json()["id"] for _ in range(2)]
    assert made[0] == made[1]
    address = f"{path}{made[0]}/"
    assert client.get(path, {"open": "true", "project": "mine"}).json()["results"][0]["title"] == "stale"
    now = timezone.now().isoformat()
    assert client.patch(address, {"resolved_at": now}, content_type="application/json").status_code == 200
    early = client.patch(address, {"opened_at": "2999-01-01T00:00:00Z"}, content_type="application/json")
    assert early.status_code == 400
    assert client.get(path, {"open": "true"}).json()["results"] == []
    assert api(acme, "viewer").delete(address).status_code == 403
    assert client.delete(address).status_code == 204
    assert client.get(address).status_code == 404


def test_the_source_is_chosen_by_api_and_seen_by_who_sees_the_project(acme: Tenant, api: Callable[..., Client]) -> None:
    mine, other = project_of("mine"), project_of("other")
    path = "/api/v1/projects/mine/delivery/"
    admin = api(acme, "admin")
    usual = {"source": "alias", "serving_aliases": ["champion", "production"]}
    assert admin.get(path).json()["in_force"] == usual
    put = {"source": "forge", "serving_aliases": ["live"]}
    assert admin.put(path, put, content_type="application/json").json()["in_force"] == put
    assert admin.put(path, {}, content_type="application/json").json()["in_force"] == usual
    bad = [
        {"source": "both"},
        {"serving_aliases": []},
        {"serving_aliases": ["x"] * 11},
        {"serving_aliases": ["x" * 256]},
    ]
    bad += [{"serving_aliases": [5]}, {"serving_aliases": "live"}, {"sources": "forge"}]
    assert {admin.put(path, body, content_type="application/json").status_code for body in bad} == {400}
    assert api(acme, "contributor").put(path, {}, content_type="application/json").status_code == 403
    outsider = speaking_as(acme, person_in({other: "admin"}))
    assert outsider.get(path).status_code == 404
    assert outsider.put(path, {}, content_type="application/json").status_code == 404
    assert DeliveryRule.objects.get(project=mine).source == ""


def test_the_page_chooses_tells_and_resolves(acme: Tenant, person: Callable[[str], Client]) -> None:
    mine = project_of("mine")
    address, admin, viewer = f"/admin/team/{mine.pk}/", person("admin"), person("viewer")
    shown = viewer.get(address).content.decode()
    assert "a move of a serving alias: champion, production" in shown
    assert '<form method="post" class="card' not in shown
    for do in ("rule", "open", "resolve", "delete", "nonsense"):
        assert viewer.post(address, {"do": do, "title": "x"}).status_code == 403
    assert admin.post(address, {"do": "rule", "source": "forge", "serving_aliases": "live, b"}).status_code == 302
    assert DeliveryRule.objects.get(project=mine).serving_aliases == ["live", "b"]
    assert admin.post(address, {"do": "rule", "source": "both"}).status_code == 200
    assert admin.post(address, {"do": "open", "title": "stale"}).status_code == 302
    late = {
        "opened_at_0": "2026-05-04",
        "opened_at_1": "09:00",
        "resolved_at_0": "2026-05-03",
        "resolved_at_1": "09:00",
    }
    assert "resolved before it was opened" in admin.post(address, {"do": "open", "title": "x"} | late).content.decode()
    row = Incident.objects.get(project=mine)
    assert admin.post(address, {"do": "resolve", "incident": row.pk}).status_code == 302
    row.refresh_from_db()
    assert row.resolved_at is not None
    assert admin.post(address, {"do": "delete", "incident": "nonsense"}).status_code == 302
    admin.post(address, {"do": "delete", "incident": row.pk})
    assert not Incident.objects.exists()
    other = signed_in(person_in({project_of("other"): "admin"}))
    assert other.get(address).status_code == other.post(address, {"do": "rule"}).status_code == 404


def test_an_incident_ends_after_it_began_whoever_writes(acme: Tenant) -> None:
    mine = project_of("mine")
    with pytest.raises(Invalid):
        incidents.open_one(mine, {"title": "x", "resolved_at": BEGIN - DAY}, by=SYSTEM, at=BEGIN)
    assert Connection.objects.count() == 0


@pytest.mark.parametrize("tenant_role", ["viewer", ""])
def test_a_project_s_page_writes_no_incident_of_another(acme: Tenant, tenant_role: str) -> None:
    """Who tells of incidents in one project, and looks at another, names the other's in the form of their own page."""
    mine, other = project_of("mine"), project_of("other")
    theirs = incidents.open_one(other, {"title": "theirs"}, by=SYSTEM, at=BEGIN)
    roles = {mine: "contributor"} if tenant_role else {mine: "contributor", other: "viewer"}
    client = signed_in(person_in(roles, tenant_role))
    for page in (mine, other):
        for do in ("resolve", "delete"):
            client.post(f"/admin/team/{page.pk}/", {"do": do, "incident": str(theirs.pk)})
    found = Incident.objects.get()
    assert (found.pk, found.resolved_at) == (theirs.pk, None)
    own = incidents.open_one(mine, {"title": "mine"}, by=SYSTEM, at=BEGIN)
    client.post(f"/admin/team/{mine.pk}/", {"do": "delete", "incident": str(own.pk)})
    assert list(Incident.objects.all()) == [theirs]
