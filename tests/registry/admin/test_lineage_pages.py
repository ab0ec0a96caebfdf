"""The pages of a lineage: for who sees everything and for who sees one project; few queries, however much there is."""

import uuid

import pytest

from apps.registry.models import Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Run
from maestro.clock import from_ms
from tests.factories.scene import Scene
from tests.factories.two_projects import person_in, text_of
from tests.tracking.admin.test_page_costs import counted, signed_in

MAX_QUERIES, MAX_HTML_BYTES = 16, 150_000


def pages(scene: Scene) -> dict[str, str]:
    assert scene.version is not None
    version = f"/admin/registry/artifactversion/{scene.version.pk}"
    return {
        "walk": f"{version}/lineage/?up=4&down=4",
        "built on": f"{version}/built-on/",
        "of a run": f"/admin/runs/{scene.runs[3].pk}/lineage/",
    }


def crowd(scene: Scene) -> None:
    """Let 400 runs more use the version."""
    runs = Run.objects.bulk_create(
        Run(experiment=scene.experiment, name=f"crowd-{n:03}", start_ms=n, last_write_ms=1) for n in range(400)
    )
    Usage.objects.bulk_create(
        Usage(version=scene.version, project=scene.open_project, run=run, observed="tag", at=from_ms(n))
        for n, run in enumerate(runs)
    )


def test_a_page_draws_the_nearest_and_counts_all(acme: Tenant, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    crowd(scene)
    client = signed_in(person_in({}, "viewer"))
    for name, path in pages(scene).items():
        client.get(path)
        with counted(monkeypatch) as told:
            answer = client.get(path)
        assert answer.status_code == 200, name
        assert len(told) <= MAX_QUERIES, (name, told)
        assert len(answer.content) < MAX_HTML_BYTES, name
    page = text_of(client.get(pages(scene)["walk"]))
    assert "402 runs" in " ".join(page.split())
    assert "149 of 407 things are drawn" in " ".join(page.split())
    assert "customers-of" in page
    assert "target-encoder-0 v2" in page
    assert "churn-1" not in page


def test_who_sees_one_project_meets_and_counts_nothing_else(acme: Tenant, scene: Scene) -> None:
    crowd(scene)
    client = signed_in(person_in({scene.project: "viewer"}))
    answer = client.get(pages(scene)["walk"])
    assert (answer.context["counts"], answer.context["is_cut"]) == ([("project", 1)], False)
    assert "mellow-fox" not in text_of(answer)
    built = client.get(pages(scene)["built on"])
    assert built.context["found"].counts == {"versions": 0, "runs": 0, "models": 0, "projects": 1}
    assert client.get(pages(scene)["of a run"]).status_code == 404


@pytest.mark.parametrize("bad", ["up=-1&down=x", "up=999&down=99", "up=٣", "up=", "up=1&up=2"])
def test_a_senseless_depth_is_the_usual_one_or_the_deepest(acme: Tenant, scene: Scene, bad: str) -> None:
    client = signed_in(person_in({}, "viewer"))
    path = pages(scene)["walk"].partition("?")[0]
    assert client.get(f"{path}?{bad}").status_code == 200
    missing = f"/admin/registry/artifactversion/{uuid.uuid4()}/lineage/"
    assert client.get(missing).status_code == 404


def test_who_may_not_see_runs_gets_no_lineage_of_one(acme: Tenant, scene: Scene) -> None:
    assert signed_in(person_in({})).get(pages(scene)["of a run"]).status_code in {302, 403}
