"""Two versions side by side, all files as one, and counts that stay within the walls of projects."""

import io
import uuid
import zipfile

from django.test import Client
from django.utils import timezone

from apps.registry.models import ArtifactVersion, Usage, VersionTag
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.scene import Scene
from tests.factories.two_projects import person_in
from tests.tracking.admin.test_page_costs import signed_in


def somebody(roles: dict[Project, str], role: str) -> Client:
    """A person with these roles in projects, and a role in the tenant or none."""
    return signed_in(person_in(roles, role, uuid.uuid4().hex))


def contributor() -> Client:
    return somebody({}, "contributor")


def test_two_versions_are_compared(acme: Tenant, scene: Scene) -> None:
    first, second = ArtifactVersion.objects.filter(artifact=scene.artifacts[0]).order_by("number")
    ArtifactVersion.objects.filter(pk=first.pk).update(run=scene.runs[3], description="old words")
    ArtifactVersion.objects.filter(pk=second.pk).update(run=scene.runs[4], description="new words")
    VersionTag.objects.create(version=second, key="origin", value="may")
    client = contributor()
    page = client.get(f"/admin/artifacts/{first.artifact_id}/compare/?a=1&b=2").content.decode()
    for text in ("accuracy", "+0.01", "pipeline/encoder.py", "added", "origin", "− old words", "+ new words"):
        assert text in page, text
    for query in ("?a=1&b=1", "?a=7&b=zzz"):
        assert client.get(f"/admin/artifacts/{first.artifact_id}/compare/{query}").status_code == 200
    member = somebody({scene.project: "viewer"}, "")
    page = member.get(f"/admin/artifacts/{first.artifact_id}/compare/").content.decode()
    assert "accuracy" not in page, "its runs are of another project"


def test_all_files_come_as_one(acme: Tenant, scene: Scene) -> None:
    client, version = contributor(), ArtifactVersion.objects.get(artifact=scene.artifacts[0], number=2)
    for page, names in (
        (f"registry/artifactversion/{version.pk}", {"pipeline/encoder.py"}),
        (f"tracking/run/{scene.runs[3].pk}", {"notes.md", "data/scores.csv", "page.html", "work.ipynb"}),
    ):
        assert f"/admin/{page}/archive.zip" in client.get(f"/admin/{page}/change/").content.decode()
        answer = client.get(f"/admin/{page}/archive.zip")
        assert answer["Content-Disposition"].startswith("attachment")
        assert set(zipfile.ZipFile(io.BytesIO(b"".join(answer))).namelist()) == names
        assert client.get(f"/admin/{page}/archive.tar").status_code == 200
        assert client.get(f"/admin/{page}/archive.rar").status_code == 404
    folder = client.get(f"/admin/tracking/run/{scene.runs[3].pk}/archive.zip?folder=data")
    assert zipfile.ZipFile(io.BytesIO(b"".join(folder))).namelist() == ["data/scores.csv"]
    for wrong in ("..", "nowhere", "%00"):
        assert client.get(f"/admin/tracking/run/{scene.runs[3].pk}/archive.zip?folder={wrong}").status_code in (
            400,
            404,
        )


def test_counts_stay_within_the_walls(acme: Tenant, scene: Scene) -> None:
    hidden = Project.objects.create(slug="hidden", name="Hidden")
    version = ArtifactVersion.objects.get(artifact=scene.artifacts[0], number=2)
    before = shown_counts(scene, version)
    for _ in range(3):
        Usage.objects.create(version=version, project=hidden, run=None, observed="api", at=timezone.now())
        hidden = Project.objects.create(slug=f"h{hidden.pk}"[:40], name="Hidden too")
    assert shown_counts(scene, version) == before
    whole = contributor().get("/admin/registry/artifact/?o=-6").content.decode()
    assert '<span class="num">4</span>' in whole, "who sees all counts all"


def shown_counts(scene: Scene, version: ArtifactVersion) -> list[str]:
    """What pages show of use to a member of one project, without times."""
    member = somebody({scene.open_project: "viewer"}, "")
    pages = ["registry/artifact/", f"registry/artifact/{version.artifact_id}/change/"]
    pages += [f"registry/artifactversion/{version.pk}/{word}/" for word in ("change", "built-on", "lineage")]
    found = []
    for page in pages:
        text = member.get(f"/admin/{page}").content.decode().partition('id="content"')[2]
        assert text, page
        found.append(text.partition("csrfmiddlewaretoken")[0])
    return found
