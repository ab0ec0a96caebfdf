"""A role in one project on the admin's pages: every page and form of a tenant, tried from within A with what is B's."""

import re
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.access.models import AuditEvent, ProjectRole
from apps.tenants.models import Tenant
from apps.tracking.models import Export, LifeRule, Project, Run
from config.routes import walk
from maestro.admin.sites import tenant_site
from tests.factories.two_projects import MARK, Things, contents, furnish, person_in, text_of

Api = Callable[..., Client]


@pytest.fixture
def things(acme: Tenant, api: Api) -> Things:
    return furnish(api, acme)


def signed_in(person: User) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def id_for(pattern: str, things: Things) -> str:
    """The id of B's thing that a page's address is about."""
    version = ArtifactVersion.objects.get(artifact__name=things.ids["artifact"])
    known = {
        "tracking/run/": str(uuid.UUID(things.ids["run"])),
        "tracking/experiment/": things.ids["experiment"],
        "importance/<int:pk>/": things.ids["experiment"],
        "tracking/trace/": things.ids["trace_id"],
        "registry/artifactversion/": str(version.pk),
        "registry/artifact/": str(version.artifact_id),
        "access/apikey/": things.ids["key"],
        "runs/<uuid:pk>/lineage/": str(uuid.UUID(things.ids["run"])),
    }
    return next((value for part, value in known.items() if part in pattern), str(things.theirs.pk))


def pages(things: Things) -> Iterator[str]:
    """Every address of the tenant's admin, about what is B's, bare and with B's things in its query."""
    for route in walk(type("Site", (), {"url_patterns": tenant_site.get_urls()})(), "/admin/", True):  # type: ignore[arg-type]
        if "logout" in route.pattern or "login" in route.pattern or "(?P" in route.pattern:
            continue
        plain = re.sub(r"<[^>]+>", id_for(route.pattern, things), route.pattern)
        ids = things.ids
        query = f"run={ids['run']}&experiment={ids['experiment']}&key={MARK}&q={MARK}&path=a.txt"
        yield plain
        if "<" not in route.pattern or "file" in route.pattern:
            yield f"{plain}?{query}"
    yield f"/admin/tracking/run/?project={things.theirs.pk}&format=csv"


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_from_within_one_project_no_page_shows_or_changes_another(acme: Tenant, things: Things, role: str) -> None:
    client, before = signed_in(person_in({things.mine: role})), contents()
    tried, faults = 0, []
    form = {"name": "taken over", "slug": "taken", "action": "delete_selected", "_selected_action": things.ids["run"]}
    for address in pages(things):
        for method in ("get", "post"):
            answer = getattr(client, method)(address, form if method == "post" else {})
            shown = text_of(answer)
            for echo in (
                f'value="{MARK}"',
                f"“{MARK}”",
                f"key={MARK}",
                f"q={MARK}",
                f"%{MARK}%",
                f"CONTAINS &#x27;{MARK}&#x27;",
            ):
                shown = shown.replace(echo, "")
            tried += 1
            if answer.status_code >= 500 or MARK in shown:
                at = shown.find(MARK)
                faults.append((method, address, answer.status_code, shown[max(at - 150, 0) : at + 80]))
    assert tried > 100
    assert faults == [], faults
    # An export is one's own, of what one may see.
    asked = Export.objects.filter(asked_by="person:outsider")
    assert all(things.ids["experiment"] not in map(str, one.question["experiments"]) for one in asked)
    assert asked.delete()[0] > 0
    assert contents() == before


def test_the_owner_of_b_finds_its_pages(acme: Tenant, things: Things) -> None:
    client = signed_in(person_in({things.theirs: "viewer"}))
    found = {address for address in pages(things) if MARK in text_of(client.get(address))}
    for part in (
        "tracking/project/",
        "tracking/run/",
        "curves/",
        "compare/",
        "importance/",
        "tracking/trace/",
        "registry/artifactversion/",
        "search/",
    ):
        assert any(part in address for address in found), part
    version = ArtifactVersion.objects.get(artifact__name=things.ids["artifact"])
    download = client.get(f"/admin/tracking/run/{uuid.UUID(things.ids['run'])}/file/?path=a.txt")
    assert (download.status_code, text_of(download)) == (200, MARK)
    assert client.get(f"/admin/registry/artifactversion/{version.pk}/file/?path=a.txt").status_code == 200


def test_home_and_navigation_hold_what_a_projects_person_can_use(acme: Tenant, things: Things) -> None:
    page = text_of(signed_in(person_in({things.mine: "contributor"})).get("/admin/"))
    for link in ("/admin/tracking/project/", "/admin/tracking/run/", "/admin/registry/artifact/"):
        assert f'href="{link}"' in page
    for closed in ("/admin/impact/", "/admin/auth/user/", "/admin/access/", "Storage"):
        assert closed not in page
    assert "Ours" in page


@pytest.mark.parametrize(
    ("role", "tenant_role", "statuses"),
    [
        ("viewer", "", (200, 403, 404, 403)),
        ("contributor", "", (200, 302, 404, 404)),
        ("contributor", "viewer", (200, 302, 200, 403)),
        ("viewer", "contributor", (200, 302, 200, 302)),
    ],
)
def test_a_projects_form_is_open_to_its_contributors(
    acme: Tenant, things: Things, role: str, tenant_role: str, statuses: tuple[int, ...]
) -> None:
    client = signed_in(person_in({things.mine: role}, tenant_role))

    def form_of(project: Project) -> tuple[int, int]:
        address = f"/admin/tracking/project/{project.pk}/"
        fields = {
            "name": "renamed",
            "slug": project.slug,
            "problem_class": project.problem_class or "regression",
            "labels": "{}",
            "dataset_facts": "{}",
            "goal_maximize": "on",
            "members-TOTAL_FORMS": "0",
            "members-INITIAL_FORMS": "0",
        }
        looked = client.get(f"{address}change/").status_code
        return looked, saved(client.post(f"{address}edit/", fields))

    def saved(answer: Any) -> int:
        if answer.status_code == 200:
            assert not answer.context["adminform"].form.errors, answer.context["adminform"].form.errors
        return int(answer.status_code)

    found = (*form_of(things.mine), *form_of(things.theirs))
    # Django sends somebody home, with a word, from the form of what they may not see.
    assert (
        tuple(404 if at == 3 and code == 302 and statuses[3] == 404 else code for at, code in enumerate(found))
        == statuses
    )
    assert (Project.objects.get(pk=things.mine.pk).name == "renamed") is (statuses[1] == 302)
    assert (Project.objects.get(pk=things.theirs.pk).name == "renamed") is (statuses[3] == 302)


@pytest.mark.parametrize("role", ["viewer", "contributor", "admin"])
def test_trash_changes_and_rules_are_open_to_a_project_for_its_own_runs(
    acme: Tenant, things: Things, role: str
) -> None:
    client, run = signed_in(person_in({things.theirs: role})), things.ids["run"]
    throw = {"do": "trash", "which": "chosen", "run": run}
    offered = "Throw away" in text_of(client.get("/admin/tracking/run/"))
    assert offered is (role != "viewer")
    assert client.post("/admin/runs/act/", throw).status_code == (302 if offered else 403)
    assert Run.objects.filter(pk=run).exclude(deleted_ms=None).exists() is offered
    assert (MARK in text_of(client.get("/admin/runs/trash/"))) is offered
    rule = {"project": str(things.theirs.pk), "trash_days": "3"}
    assert client.post("/admin/tracking/liferule/add/", rule).status_code == (302 if role == "admin" else 403)
    assert LifeRule.objects.filter(project=things.theirs).exists() is (role == "admin")
    delete = {"do": "delete", "which": "chosen", "run": run}
    assert client.post("/admin/runs/act/", delete).status_code == (302 if role == "admin" else 403)
    assert Run.objects.filter(pk=run).exists() is (role != "admin")


def test_an_admin_of_one_project_throws_nothing_of_another_away_and_sets_no_rule_for_it(
    acme: Tenant, things: Things
) -> None:
    client, run = signed_in(person_in({things.mine: "admin"})), things.ids["run"]
    theirs = LifeRule.objects.create(project=things.theirs, trash_days=9)
    for_all = LifeRule.objects.create(trash_days=8)
    for fields in ({"do": "trash", "which": "chosen", "run": run}, {"do": "trash", "which": "found", "expected": "1"}):
        assert client.post("/admin/runs/act/", fields).status_code in {400, 404, 409}
    for project in (str(things.theirs.pk), ""):
        answer = client.post("/admin/tracking/liferule/add/", {"project": project, "trash_days": "1"})
        assert (answer.status_code, MARK in text_of(answer)) == (200, False)
    for rule in (theirs, for_all):
        for form, fields in (
            ("change", {"project": str(things.mine.pk), "trash_days": "1"}),
            ("delete", {"post": "yes"}),
        ):
            answer = client.post(f"/admin/tracking/liferule/{rule.pk}/{form}/", fields)
            assert answer.status_code in {302, 403}
    assert not Run.objects.exclude(deleted_ms=None).exists()
    assert sorted(LifeRule.objects.values_list("trash_days", "project")) == [(8, None), (9, things.theirs.pk)]


def test_a_shared_artifact_is_looked_at_and_not_changed_by_a_projects_admin(acme: Tenant, things: Things) -> None:
    shared = Artifact.objects.create(name="for-all", created_ms=0, updated_ms=0)
    client = signed_in(person_in({things.mine: "admin"}))
    assert client.get(f"/admin/registry/artifact/{shared.pk}/change/").status_code == 200
    assert client.post(f"/admin/registry/artifact/{shared.pk}/edit/", {"owner": "me"}).status_code == 403
    assert Artifact.objects.get(pk=shared.pk).owner == ""


def test_an_admin_gives_a_role_in_a_project_by_the_persons_form(acme: Tenant, things: Things) -> None:
    admin = signed_in(person_in({}, "admin", name="chief"))
    person = User.objects.create_user("ada")
    page = admin.get(f"/admin/auth/user/{person.pk}/change/")
    assert "Ours (proj-a)" in text_of(page)
    fields = {
        "username": "ada",
        "is_active": "on",
        "date_joined_0": "2026-01-01",
        "date_joined_1": "00:00:00",
        "project_roles-TOTAL_FORMS": "1",
        "project_roles-INITIAL_FORMS": "0",
        "project_roles-0-project_id": str(things.mine.pk),
        "project_roles-0-role": "approver",
        "project_roles-0-user": str(person.pk),
    }
    answer = admin.post(f"/admin/auth/user/{person.pk}/change/", fields)
    assert answer.status_code == 302, answer.context["errors"]
    assert ProjectRole.objects.get(user=person).role == "approver"
    event = AuditEvent.objects.get(action="project_role.grant")
    assert event.actor == "person:chief"
    assert event.after["role"] == "approver"
