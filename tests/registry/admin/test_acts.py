"""What people do on the pages of artifacts and versions: each act once by who may, none by who may not."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.registry.models import Alias, Artifact, ArtifactVersion, Gate, Usage
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.two_projects import person_in
from tests.tracking.admin.test_page_costs import counted, signed_in

Person = Callable[[str], Client]
ARTIFACT_ACTS: list[dict[str, str]] = [
    {"do": "rename", "name": "other"},
    {"do": "tag", "key": "team", "value": "red"},
    {"do": "untag", "key": "old"},
    {"do": "trash"},
]
VERSION_ACTS: list[dict[str, str]] = [
    {"do": "describe", "description": "# Better"},
    {"do": "tag", "key": "team", "value": "red"},
    {"do": "untag", "key": "old"},
    {"do": "archive"},
    {"do": "trash"},
]


@pytest.fixture
def version(acme: Tenant) -> ArtifactVersion:
    return make()


def make(name: str = "churn", number: int = 1) -> ArtifactVersion:
    facts = {"created_ms": 1, "updated_ms": 1}
    artifact, _ = Artifact.objects.get_or_create(name=name, defaults={"kind": "model", "next_number": 100, **facts})
    artifact.tags.get_or_create(key="old", defaults={"value": "x"})
    version = ArtifactVersion.objects.create(
        artifact=artifact, number=number, state="ready", source="s3://b/k", **facts
    )
    version.tags.create(key="old", value="x")
    return version


def act(client: Client, row: Artifact | ArtifactVersion, **fields: str) -> Any:
    kind = "versions" if isinstance(row, ArtifactVersion) else "artifacts"
    return client.post(f"/admin/{kind}/{row.pk}/act/", fields, follow=True)


def page_of(row: Artifact | ArtifactVersion) -> str:
    return f"/admin/registry/{row._meta.model_name}/{row.pk}/change/"


def test_each_act_does_what_its_button_says(version: ArtifactVersion, person: Person) -> None:
    client, artifact = person("contributor"), version.artifact
    for row, acts in ((version, VERSION_ACTS[:-1]), (artifact, ARTIFACT_ACTS[:-1])):
        for fields in acts:
            before = AuditEvent.objects.count()
            assert act(client, row, **fields).status_code == 200
            assert AuditEvent.objects.count() == before + 1, fields
    version.refresh_from_db()
    artifact.refresh_from_db()
    assert (version.description, version.state, artifact.name) == ("# Better", "archived", "other")
    assert [list(row.tags.values_list("key", "value")) for row in (version, artifact)] == [[("team", "red")]] * 2
    assert "Take out of the archive" in client.get(page_of(version)).content.decode()
    act(client, version, do="unarchive")
    version.refresh_from_db()
    assert version.state == "ready"


def test_what_is_thrown_away_comes_back_by_the_button_in_the_message(version: ArtifactVersion, person: Person) -> None:
    client, artifact = person("contributor"), version.artifact
    Alias.objects.create(artifact=artifact, version=version, name="fresh")
    for row, thing in ((version, "version"), (artifact, "artifact")):
        told = act(client, row, do="trash").content.decode()
        assert type(row).everything.get(pk=row.pk).deleted_ms
        assert client.get(page_of(row)).status_code in (302, 404)
        button = re.search(r'<button class="link-button" name="(\w+)" value="([^"]+)">Undo', told)
        assert button is not None, told
        assert button[1] == thing
        listed = client.get("/admin/artifacts/trash/").content.decode()
        assert str(row.pk) in listed
        back = client.post("/admin/artifacts/trash/restore/", {button[1]: button[2]}, follow=True)
        assert (back.status_code, back.redirect_chain[0][0]) == (200, page_of(row))
        assert Alias.objects.filter(version=version, name="fresh").exists()


def test_who_may_not_meets_no_button_and_is_refused(version: ArtifactVersion, person: Person) -> None:
    viewer, theirs = person("viewer"), Project.objects.create(slug="theirs", name="Theirs")
    before = AuditEvent.objects.count()
    for row, acts in ((version, VERSION_ACTS), (version.artifact, ARTIFACT_ACTS)):
        page = viewer.get(page_of(row)).content.decode()
        assert "/act/" not in page
        for fields in acts:
            assert act(viewer, row, **fields).status_code == 403, fields
    member = signed_in(person_in({theirs: "contributor"}, "", "member"))
    for row, acts in ((version, VERSION_ACTS), (version.artifact, ARTIFACT_ACTS)):
        for fields in acts:
            assert "all projects share" in act(member, row, **fields).content.decode(), fields
    Artifact.objects.update(project=Project.objects.create(slug="own", name="Own"))
    for row in (version, version.artifact):
        assert act(member, row, do="trash").status_code == 404
    assert AuditEvent.objects.count() == before
    assert person("nobody").get("/admin/artifacts/trash/").status_code in (302, 403)


def test_who_may_not_restores_nothing(version: ArtifactVersion, person: Person) -> None:
    act(person("contributor"), version, do="trash")
    viewer = person("viewer")
    page = viewer.get("/admin/artifacts/trash/").content.decode()
    assert "churn" in page
    assert str(version.pk) not in page
    assert viewer.post("/admin/artifacts/trash/restore/", {"version": str(version.pk)}).status_code == 403
    Artifact.objects.update(project=Project.objects.create(slug="own", name="Own"))
    other = Project.objects.create(slug="theirs", name="Theirs")
    member = signed_in(person_in({other: "contributor"}, "", "member"))
    assert "churn" not in member.get("/admin/artifacts/trash/").content.decode()
    told = member.post("/admin/artifacts/trash/restore/", {"version": str(version.pk)}, follow=True)
    assert "not in the trash any more" in told.content.decode()
    assert ArtifactVersion.everything.get().deleted_ms


def test_a_button_that_would_do_nothing_can_not_be_pressed(version: ArtifactVersion, person: Person) -> None:
    client, artifact = person("contributor"), version.artifact
    assert "disabled" not in client.get(page_of(version)).content.decode()
    Alias.objects.create(artifact=artifact, version=version, name="fresh")
    Usage.objects.create(
        version=version, project=Project.objects.get(slug="default"), observed="api", at=timezone.now()
    )
    page = client.get(page_of(version)).content.decode()
    assert re.search(r'value="archive"\s+disabled', page)
    assert re.search(r'value="trash" disabled', page)
    assert re.search(r'value="trash" disabled', client.get(page_of(artifact)).content.decode())
    for row, do in ((version, "archive"), (version, "trash"), (artifact, "trash")):
        assert 'class="error"' in act(client, row, do=do).content.decode()
    assert ArtifactVersion.objects.get().state == "ready"


@pytest.mark.parametrize(
    "fields",
    [
        {"do": "nonsense"},
        {},
        {"do": "tag", "key": "", "value": "x"},
        {"do": "tag", "key": "k" * 300, "value": "x"},
        {"do": "tag", "key": "k\x00", "value": "x"},
        {"do": "tag", "key": "k", "value": "x" * 200_001},
        {"do": "untag", "key": "\x00"},
        {"do": "rename", "name": "a/b"},
        {"do": "rename", "name": ""},
        {"do": "rename", "name": "n" * 300},
        {"do": "describe", "description": "\x00"},
        {"do": "describe", "description": "d" * 2_000_001},
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(
    version: ArtifactVersion, person: Person, fields: dict[str, str]
) -> None:
    client, before = person("contributor"), AuditEvent.objects.count()
    for row in (version, version.artifact):
        answer = act(client, row, **fields)
        assert answer.status_code in (200, 400, 413), answer.status_code
        if answer.status_code == 200:
            assert 'class="error"' in answer.content.decode(), fields
    assert AuditEvent.objects.count() == before
    for pk in ("artifact", "version"):
        told = client.post("/admin/artifacts/trash/restore/", {pk: "nonsense"}, follow=True).content.decode()
        assert "not in the trash any more" in told
    assert client.post(f"/admin/versions/{uuid.uuid4()}/act/", {"do": "trash"}, follow=True).status_code == 404
    assert client.get(f"/admin/versions/{version.pk}/act/").status_code == 405


def test_a_gate_stands_before_throwing_away_here_too(version: ArtifactVersion, person: Person) -> None:
    Gate.objects.create(name="G", aliases=["serving"], approvals=1, changed_at=timezone.now())
    Alias.objects.create(artifact=version.artifact, version=version, name="serving")
    told = act(person("contributor"), version, do="trash").content.decode()
    assert "only an approver may do this" in told
    assert ArtifactVersion.objects.exists()


PAGES = (
    "registry/artifact/{artifact}/change/",
    "registry/artifactversion/{version}/change/",
    "artifacts/{artifact}/compare/",
    "artifacts/trash/",
)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_asks_as_much_however_many_versions_aliases_and_uses(
    version: ArtifactVersion, person: Person, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    client, artifact = person("contributor"), version.artifact
    address = f"/admin/{path.format(artifact=artifact.pk, version=version.pk)}"

    def grow(start: int, more: int) -> None:
        for number in range(start, start + more):
            row = make("churn", number)
            Alias.objects.create(artifact=artifact, version=row, name=f"alias-{number}")
            project = Project.objects.create(slug=f"p{number}", name=f"P{number}")
            Usage.objects.create(version=version, project=project, observed="api", at=timezone.now())
            ArtifactVersion.objects.filter(pk=make("churn", number + 500).pk).update(deleted_ms=1)
            Artifact.objects.filter(pk=make(f"gone-{number}").artifact_id).update(deleted_ms=1)

    def cost() -> int:
        with counted(monkeypatch) as asked:
            assert client.get(address).status_code == 200
        return len(asked)

    grow(2, 2)
    cost()
    few = cost()
    grow(4, 12)
    assert cost() <= few
    assert few <= 40
