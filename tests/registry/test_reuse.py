"""How much of what is old another project uses, and how much a project borrows: too few is said, and walls hold."""

from collections.abc import Callable
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, Run
from maestro.clock import now_ms
from tests.factories.two_projects import person_in
from tests.tracking.admin.test_page_costs import signed_in

ApiFor = Callable[..., Client]
DAY_MS = 86_400_000


def project(slug: str) -> Project:
    return Project.objects.create(slug=slug, name=slug)


def version(name: str, home: Project | None = None, *, days: int = 100, **facts: Any) -> ArtifactVersion:
    """A version of an artifact of its own."""
    at = now_ms() - days * DAY_MS
    artifact = Artifact.objects.create(name=name, project=home, created_ms=at, updated_ms=at)
    return ArtifactVersion.objects.create(
        **{"artifact": artifact, "number": 1, "state": "ready", "created_ms": at, "updated_ms": at} | facts
    )


def use(row: ArtifactVersion, *projects: Project) -> None:
    for one in projects:
        Usage.objects.create(version=row, project=one, observed="api", at=timezone.now())


def test_another_project_than_its_own_reuses_a_version(acme: Tenant, api: ApiFor) -> None:
    ours, theirs = project("ours"), project("theirs")
    run = Run.objects.create(
        experiment=Experiment.objects.create(name="e", project=ours, created_ms=1, updated_ms=1),
        name="r",
        start_ms=1,
        last_write_ms=1,
    )
    use(version("own", ours), ours)
    use(version("lent", ours), theirs)
    use(version("of-a-run", None, run=run), ours)
    use(version("lent-of-a-run", None, run=run), theirs)
    use(version("shared-used-by-one"), theirs)
    use(version("shared-used-by-two"), ours, theirs)
    use(version("young", ours, days=80), theirs)
    use(version("draft", ours, state="draft"), theirs)
    told = api(acme).get("/api/v1/reuse/").json()
    assert told == {"older_than_days": 90, "versions": 6, "reused": 3, "rate": 0.5}
    told = api(acme).get("/api/v1/projects/ours/reuse/").json()
    assert (told["versions"], told["reused"], told["rate"]) == (5, 3, 0.6)
    assert (told["uses"], told["borrowed"], told["borrowed_share"]) == (3, 0, None)
    told = api(acme).get("/api/v1/projects/theirs/reuse/").json()
    assert (told["uses"], told["borrowed"]) == (6, 5)


def test_too_few_is_said(acme: Tenant, api: ApiFor) -> None:
    ours, theirs = project("ours"), project("theirs")
    for name in "abcd":
        use(version(name, ours), theirs)
    told = api(acme).get("/api/v1/reuse/").json()
    assert (told["versions"], told["reused"], told["rate"]) == (4, 4, None)
    viewer = signed_in(person_in({}, "viewer"))
    assert "too few" in viewer.get("/admin/").content.decode()
    page = f"/admin/tracking/project/{theirs.pk}/change/"
    assert "a share takes 5" in viewer.get(page).content.decode()
    use(version("e", ours), theirs)
    assert api(acme).get("/api/v1/reuse/").json()["rate"] == 1.0
    assert "5 of 5 versions older than 90 days" in " ".join(viewer.get("/admin/").content.decode().split())
    assert "5 of\n  5 versions" in viewer.get(page).content.decode()


def test_walls_hold(acme: Tenant, api: ApiFor) -> None:
    ours, theirs = project("ours"), project("theirs")
    for name in "abcde":
        use(version(name, ours), theirs)
        use(version(f"x{name}", theirs), ours)
    key = api(acme, project_id=ours.pk)
    told = key.get("/api/v1/reuse/").json()
    assert (told["versions"], told["reused"]) == (5, 0), "who uses ours elsewhere is beyond"
    told = key.get("/api/v1/projects/ours/reuse/").json()
    assert (told["uses"], told["borrowed"]) == (0, 0)
    assert key.get("/api/v1/projects/theirs/reuse/").status_code == 404
