"""The comparison and the previews as a person's requests."""

import json
from collections.abc import Callable

from django.test import Client

from apps.tracking.files import blobs, previews
from apps.tracking.models import Experiment, LatestMetric, MetricKey, Param, Project, Run, RunFile
from tests.factories.scene import Scene

SignIn = Callable[[str], Client]


def some(scene: Scene, *places: int) -> str:
    return "&".join(f"run={scene.runs[place].pk.hex}" for place in places)


def lines(client: Client, query: str) -> dict[str, tuple[object, ...]]:
    return {line.key: line.values for line in client.get(f"/admin/compare/?{query}").context["lines"]}


def test_only_what_differs_is_shown_unless_asked(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    differing = lines(viewer, some(scene, 3, 4))
    assert differing["p.boosting"] == ("dart", "gbdt")
    assert "p.seed" not in differing
    assert "t.stage" not in differing
    assert lines(viewer, some(scene, 3, 4) + "&all=1")["p.seed"] == (1, 1)
    assert set(lines(viewer, some(scene, 3, 4) + "&find=loss")) == {"m.train_loss", "m.val_loss"}


def test_a_key_that_one_run_lacks_differs(scene: Scene, person: SignIn) -> None:
    Param.objects.create(run=scene.runs[3], key="only_here", value="x")
    assert lines(person("viewer"), some(scene, 3, 4))["p.only_here"] == ("x", None)


def test_not_a_number_equals_itself(scene: Scene, person: SignIn) -> None:
    LatestMetric.objects.filter(run__in=scene.runs[3:5], key__name="auc").update(value=float("nan"))
    found = person("viewer").get(f"/admin/compare/?{some(scene, 3, 4)}")
    assert found.status_code == 200
    assert "m.auc" not in {line.key for line in found.context["lines"]}


def test_runs_of_two_projects_are_compared(scene: Scene, person: SignIn) -> None:
    project = Project.objects.create(slug="elsewhere", name="Elsewhere")
    home = Experiment.objects.create(project=project, name="other", created_ms=1, updated_ms=1)
    far = Run.objects.create(experiment=home, name="far", start_ms=1, last_write_ms=1)
    page = person("viewer").get(f"/admin/compare/?{some(scene, 3)}&run={far.pk.hex}")
    assert len(page.context["runs"]) == 2
    assert b"Elsewhere" in page.content


def test_axes_colour_and_scatter_are_kept_in_the_address(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    start = viewer.get(f"/admin/compare/?{some(scene, 3, 4, 5)}").context
    assert start["color"] == "m.auc"
    assert (start["x"], start["y"]) == ("p.learning_rate", "m.auc")
    query = "&axis=p.learning_rate&axis=m.val_loss&color=p.learning_rate&sx=m.val_loss&sy=m.train_loss"
    chosen = viewer.get(f"/admin/compare/?{some(scene, 3, 4, 5)}{query}").context
    assert chosen["parallel"].columns == ("Run", "learning_rate", "val_loss")
    assert chosen["parallel"].options["visualMap"]["dimension"] == 0
    assert chosen["scatter"].columns == ("Run", "val_loss", "train_loss")
    assert len(chosen["scatter"].rows) == 3


def test_the_table_is_a_file_too_and_disarms_formulas(scene: Scene, person: SignIn) -> None:
    Param.objects.create(run=scene.runs[3], key="cmd", value="=HYPERLINK(1)")
    text = person("viewer").get(f"/admin/compare/?{some(scene, 3, 4)}&format=csv").content.decode()
    assert text.splitlines()[0] == "kind,name,mellow-fox-3,mellow-fox-4"
    assert "p,cmd,'=HYPERLINK(1)," in text


def test_one_run_is_offered_the_best_of_its_experiment(scene: Scene, person: SignIn) -> None:
    offered = person("viewer").get(f"/admin/compare/?{some(scene, 3)}").context["candidates"]
    assert [item["run"].name for item in offered][:2] == ["mellow-fox-11", "mellow-fox-10"]


def test_very_many_keys_stay_a_light_page(scene: Scene, person: SignIn) -> None:
    keys = MetricKey.objects.bulk_create(MetricKey(name=f"k{n:04}") for n in range(1500))
    for place in (3, 4):
        run = scene.runs[place]
        LatestMetric.objects.bulk_create(
            LatestMetric(run=run, experiment=run.experiment, key=key, step=0, timestamp_ms=0, value=place + n)
            for n, key in enumerate(keys)
        )
        Param.objects.bulk_create(Param(run=run, key=f"p{n:04}", value=f"{place}") for n in range(1500))
    viewer = person("viewer")
    page = viewer.get(f"/admin/compare/?{some(scene, 3, 4)}")
    assert page.context["line_count"] == 3006
    assert len(page.content) < 150_000
    later = viewer.get(f"/admin/compare/{page.context['pages']['later']}")
    assert not {line.key for line in page.context["lines"]} & {line.key for line in later.context["lines"]}
    detail = viewer.get(f"/admin/tracking/run/{scene.runs[3].pk}/change/")
    assert detail.context["metrics"].count == 1504
    assert len(detail.content) < 150_000
    found = viewer.get(f"/admin/tracking/run/{scene.runs[3].pk}/change/?find=1234").context
    assert [row[0] for row in found["metrics"].rows] == ["k1234"]


def test_a_bad_address_still_compares(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    for query in ("run=zzz", "page=-1", "page=99999999999", "axis=q.x&axis=m.", "color=m.&sx=zzz&sy=p.", "all=7"):
        assert viewer.get(f"/admin/compare/?{some(scene, 3, 4)}&{query}").status_code == 200, query
    assert viewer.get(f"/admin/compare/?{some(scene, 3, 4)}&find=%00").status_code == 400


def put(scene: Scene, path: str, data: bytes) -> str:
    RunFile.objects.create(run=scene.runs[3], path=path, blob=blobs.store([data])[0])
    return f"/admin/tracking/run/{scene.runs[3].pk}/"


def test_a_large_file_is_shown_by_its_beginning_and_downloaded_whole(scene: Scene, person: SignIn) -> None:
    data = b"row,score\n" + b"1,0.5\n" * 1_000_000
    base, viewer = put(scene, "big.csv", data), person("viewer")
    page = viewer.get(f"{base}change/?file=big.csv")
    shown = page.context["preview"]
    assert (shown.kind, shown.is_cut, shown.columns) == ("table", True, ("row", "score"))
    assert len(page.content) < 150_000
    whole = viewer.get(f"{base}file/?path=big.csv")
    assert b"".join(whole) == data
    part = viewer.get(f"{base}file/?path=big.csv", headers={"range": "bytes=0-9"})
    assert (part.status_code, b"".join(part)) == (206, b"row,score\n")
    assert viewer.get(f"{base}file/?path=big.csv", headers={"range": "bytes=9000000-"}).status_code == 416


def test_an_image_too_large_to_show_says_so(scene: Scene, person: SignIn) -> None:
    base = put(scene, "huge.png", b"\x89PNG" + b"0" * previews.IMAGE_BYTES)
    page = person("viewer").get(f"{base}change/?file=huge.png")
    assert b"larger than 4 MB" in page.content
    assert b"<img" not in page.content


def test_a_notebook_shows_its_cells_and_what_they_printed(scene: Scene, person: SignIn) -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# Title"]},
        {
            "cell_type": "code",
            "source": "1 + 1",
            "outputs": [{"data": {"text/plain": ["2"], "text/html": "<script>"}}, 7],
        },
        5,
    ]
    base = put(scene, "cells.ipynb", json.dumps({"cells": cells}).encode())
    shown = person("viewer").get(f"{base}change/?file=cells.ipynb").context["preview"]
    assert shown.cells == (("markdown", "# Title", ""), ("code", "1 + 1", "2"))


STRANGE = {
    "a.json": b"[" * 100_000,
    "b.ipynb": b'{"cells": "no"}',
    "c.ipynb": b'{"cells": [{"outputs": 5, "source": {"a": 1}}]}',
    "d.csv": b'"' + b"x" * 300_000,
    "e.csv": b",".join([b"a"] * 100_000),
    "f.md": b"[" * 3_000,
    "g.txt": b"\xff\xfe\x00",
    "h": b"x" * 1_000_000,
    "half.json": rb'{"\ud83d": ["\ud83d", "\ude00\ud83d"]}',
    "half.ipynb": rb'{"cells": [{"cell_type": "\ud83d", "source": "\ud83d", "outputs": [{"text": ["\ud83d"]}]}]}',
    "half.csv": b"\xf0\x9f,\xed\xa0\xbd\n1,2",
    "half.md": b"# \xf0\x9f",
    "deep.json": b"[" * 900 + b"]" * 900,
}


def test_a_strange_file_is_shown_somehow(scene: Scene, person: SignIn) -> None:
    viewer = person("viewer")
    for path, data in STRANGE.items():
        page = viewer.get(f"{put(scene, path, data)}change/?file={path}")
        assert page.status_code == 200, path
        assert len(page.content) < 150_000, path
