"""The tracking room's pages as a person's requests: who may look, how many queries, and bad addresses."""

import json
import math
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Run
from tests.factories.scene import Scene, build


def paths(scene: Scene) -> list[str]:
    """Every page of the room, and those of the rooms above."""
    run = scene.runs[3]
    assert scene.version is not None
    assert scene.prompt is not None
    return [
        "/admin/",
        "/admin/tracking/run/",
        f"/admin/tracking/run/{run.pk}/change/",
        f"/admin/tracking/project/{scene.project.pk}/change/",
        f"/admin/compare/?run={run.pk}&run={scene.runs[4].pk}",
        f"/admin/registry/artifact/{scene.artifacts[0].pk}/change/",
        f"/admin/registry/artifactversion/{scene.version.pk}/change/",
        f"/admin/registry/artifact/{scene.prompt.artifact_id}/change/",
        f"/admin/registry/artifactversion/{scene.prompt.pk}/change/",
        "/admin/impact/",
        "/admin/impact/trainings/",
        "/admin/impact/calibration/",
    ]


def test_a_viewer_may_look_at_every_page(scene: Scene, person: Callable[[str], Client]) -> None:
    viewer = person("viewer")
    assert {path: viewer.get(path).status_code for path in paths(scene)} == dict.fromkeys(paths(scene), 200)


def test_a_person_without_a_role_sees_no_rows(scene: Scene, person: Callable[[str], Client]) -> None:
    nobody = person("nobody")
    answers = {path: nobody.get(path) for path in paths(scene)}
    assert answers.pop("/admin/").status_code == 200
    assert all(answer.status_code in {403, 404} for answer in answers.values())
    assert b"mellow-fox" not in nobody.get("/admin/").content


def test_nobody_looks_without_signing_in(scene: Scene) -> None:
    stranger = Client(headers={"host": "acme.localhost"})
    for path in [
        *paths(scene),
        "/admin/curves/?key=auc",
        f"/admin/tracking/run/{scene.runs[3].pk}/file/?path=notes.md",
    ]:
        answer = stranger.get(path)
        assert answer.status_code == 302, path
        assert answer["location"].startswith("/admin/login/")


def test_a_viewer_may_neither_train_nor_edit(scene: Scene, person: Callable[[str], Client]) -> None:
    viewer = person("viewer")
    assert viewer.post("/admin/impact/trainings/ask/").status_code == 403
    edit = f"/admin/tracking/project/{scene.project.pk}/edit/"
    before = scene.project.success
    assert viewer.post(edit, {"success": "1"}).status_code == 403
    scene.project.refresh_from_db()
    assert scene.project.success == before


@pytest.mark.parametrize(
    "path",
    [
        "/admin/tracking/run/not-a-run/change/",
        f"/admin/tracking/run/{uuid.UUID(int=0)}/change/",
        "/admin/tracking/project/%00/change/",
        "/admin/registry/artifactversion/1/change/",
        "/admin/curves/?key=nothing&run=zzz",
        "/admin/tracking/run/00000000-0000-0000-0000-000000000000/file/?path=../../etc/passwd",
    ],
)
def test_a_bad_address_is_refused_and_never_a_fault_of_ours(person: Callable[[str], Client], path: str) -> None:
    assert 400 <= person("admin").get(path).status_code < 500


def test_a_bad_query_still_shows_a_list(scene: Scene, person: Callable[[str], Client]) -> None:
    viewer = person("viewer")
    for query in (
        "q=metrics.auc+%3E",
        "q=" + "(" * 500,
        "sort=-m.",
        "sort=zzz",
        "after=bm90LWpzb24=",
        "after=%5B1%5D",
        "experiment=99999999999999999999999999",
        "experiment=1&experiment=zzz&experiment=2&hide=zzz&saved=zzz",
        "smooth=nan&log=7&x=zzz",
        "project=1",
        "run=zzz&c=m.&c=q.x&c=.",
        "status=NONE",
        "page=-1",
    ):
        answer = viewer.get(f"/admin/tracking/run/?{query}")
        assert answer.status_code == 200, query
        assert b"data-words" in answer.content, query
    assert viewer.get("/admin/tracking/run/?c=m.x%00&sort=-m.x%00").status_code == 400


def test_the_filter_understands_the_grammar_and_bare_names(scene: Scene, person: Callable[[str], Client]) -> None:
    viewer = person("viewer")
    both = "(params.boosting = 'dart' OR params.boosting = 'gbdt') AND metrics.accuracy > 0.905"
    found = viewer.get("/admin/tracking/run/", {"q": both}).context["rows"]
    assert [row.run.name for row in found] == ["mellow-fox-11"]
    named = viewer.get("/admin/tracking/run/", {"q": "fox-1"}).context["rows"]
    assert {row.run.name for row in named} == {"mellow-fox-1", "mellow-fox-10", "mellow-fox-11"}
    lost = viewer.get("/admin/tracking/run/", {"status": "LOST"}).context["rows"]
    assert [row.run.name for row in lost] == ["mellow-fox-2"]


def test_the_csv_holds_the_chosen_columns_and_disarms_formulas(scene: Scene, person: Callable[[str], Client]) -> None:
    Run.objects.filter(pk=scene.runs[3].pk).update(name="=HYPERLINK(1)")
    answer = person("viewer").get("/admin/tracking/run/", {"format": "csv", "c": "m.accuracy"})
    lines = answer.getvalue().decode().splitlines()
    assert lines[0].startswith("run_id,name,")
    assert lines[0].endswith(",metrics.accuracy")
    assert len(lines) == 13
    assert any(",'=HYPERLINK(1)," in line for line in lines)


def test_a_curve_comes_thinned_with_its_gaps_and_says_whether_to_ask_again(
    scene: Scene, person: Callable[[str], Client]
) -> None:
    viewer = person("viewer")
    body: Any = json.loads(viewer.get("/admin/curves/", {"key": "auc", "run": str(scene.runs[0].pk)}).content)
    points = body["charts"]["auc"]["options"]["series"][0]["data"]
    assert body["live"] is True
    assert len(points) == 300
    assert points[-1][0] == 299
    assert math.isclose(points[-1][2], 299 * 0.2, rel_tol=1e-6)
    ended: Any = json.loads(viewer.get("/admin/curves/", {"key": "auc", "run": str(scene.runs[3].pk)}).content)
    assert ended["live"] is False


def test_the_other_tenants_run_is_not_found(globex: Tenant, person: Callable[[str], Client]) -> None:
    with tenant_context(globex):
        theirs = build().runs[3]
    viewer = person("viewer")
    assert viewer.get(f"/admin/tracking/run/{theirs.pk}/change/").status_code == 404
    assert viewer.get("/admin/curves/", {"key": "auc", "run": str(theirs.pk)}).status_code == 404
    assert b"mellow-fox" not in viewer.get("/admin/tracking/run/").content
