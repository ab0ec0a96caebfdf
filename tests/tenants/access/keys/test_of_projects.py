"""A project's end ends what was bound to it, and opens nothing that was its own."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models import ProtectedError
from django.test import Client

from apps.registry.models import Artifact
from apps.tenants.access.models import AuditEvent, ProjectRole, TrustedPublisher
from apps.tenants.models import Tenant
from apps.tracking.models import Project

BACKEND, WHOAMI = "apps.tenants.access.sign_in.passwords.PasswordBackend", "/api/v1/auth/whoami/"
Door = Callable[..., Client]


@pytest.fixture
def boss(acme: Tenant) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(User.objects.create_superuser("boss"), backend=BACKEND)
    return client


def delete(boss: Client, project: Project, by: str) -> Any:
    if by == "its page":
        return boss.post(f"/admin/tracking/project/{project.pk}/delete/", {"post": "yes"})
    wish = {"action": "delete_selected", "_selected_action": str(project.pk), "post": "yes"}
    return boss.post("/admin/tracking/project/", wish)


@pytest.mark.parametrize("by", ["its page", "the list's action"])
def test_deleting_a_project_opens_no_private_artifact(acme: Tenant, boss: Client, api: Door, by: str) -> None:
    mine, other = Project.objects.create(slug="mine", name="M"), Project.objects.create(slug="other", name="O")
    secret = Artifact.objects.create(name="secret", kind="model", project=mine, created_ms=1, updated_ms=1)
    stranger = api(acme, "viewer", project_id=other.pk)
    assert stranger.get("/api/v1/artifacts/secret/").status_code == 404
    delete(boss, mine, by)
    secret.refresh_from_db()
    assert secret.project_id == mine.pk
    assert Project.objects.filter(pk=mine.pk).exists()
    assert stranger.get("/api/v1/artifacts/secret/").status_code == 404
    with pytest.raises(ProtectedError):
        mine.delete()
    secret.delete()
    delete(boss, mine, by)
    assert not Project.objects.filter(pk=mine.pk).exists()


@pytest.mark.parametrize("by", ["its page", "the list's action"])
def test_a_projects_keys_jobs_and_roles_end_with_it(acme: Tenant, boss: Client, api: Door, by: str) -> None:
    mine, other = Project.objects.create(slug="mine", name="M"), Project.objects.create(slug="other", name="O")
    cy = User.objects.create_user("cy")
    keys = [api(acme, "contributor", project_id=one.pk) for one in (mine, other)]
    for one in (mine, other):
        ProjectRole.objects.create(user=cy, project_id=one.pk, role="viewer")
        issuer = {"issuer": "https://i.example", "audience": "a", "claims": {"sub": "x"}}
        TrustedPublisher.objects.create(name=one.slug, kind="oidc", project_id=one.pk, **issuer)
    assert [key.get(WHOAMI).status_code for key in keys] == [200, 200]
    assert delete(boss, mine, by).status_code == 302
    assert [key.get(WHOAMI).status_code for key in keys] == [401, 200]
    assert [role.project_id for role in ProjectRole.objects.all()] == [other.pk]
    assert [row.name for row in TrustedPublisher.objects.all()] == ["other"]
    told = set(AuditEvent.objects.values_list("action", flat=True))
    assert {"key.revoke", "publisher.delete", "project_role.withdraw", "project.delete"} <= told
