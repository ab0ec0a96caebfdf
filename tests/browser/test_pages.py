"""Every page wide and light, and narrow and dark: no complaint of the browser, no critical accessibility fault, no overflow.

With MAESTRO_SHOTS=folder each page is also written there as a picture.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Look, Site

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("MAESTRO_SHOTS", "")
MAX_HTML_BYTES = 150_000
WINDOWS = [(1440, "light"), (390, "dark")]
PAGES = [
    "home",
    "projects",
    "project",
    "project_open",
    "project_form",
    "experiments",
    "runs",
    "runs_of_an_experiment",
    "runs_as_charts",
    "runs_bad_filter",
    "runs_none",
    "run",
    "run_file",
    "compare",
    "compare_none",
    "artifacts",
    "artifact",
    "version",
    "impact",
    "impact_refused",
    "trainings",
    "calibration",
    "what_if",
    "what_if_answer",
    "what_if_refused",
    "what_if_waiting",
    "search",
    "settings",
    "people",
]


def address(site: Site, name: str) -> str:
    """Where a page of the scene is."""
    scene, run = site.scene, site.scene.runs[3]
    assert scene.version is not None
    some = "&".join(f"run={one.pk.hex}" for one in scene.runs[3:7])
    paths = {
        "home": "",
        "projects": "tracking/project/",
        "project": f"tracking/project/{scene.project.pk}/change/",
        "project_open": f"tracking/project/{scene.open_project.pk}/change/",
        "project_form": f"tracking/project/{scene.project.pk}/edit/",
        "experiments": "tracking/experiment/",
        "runs": "tracking/run/",
        "runs_of_an_experiment": f"tracking/run/?experiment={scene.experiment.pk}&sort=-m.auc&q=metrics.auc+%3E+0.1",
        "runs_as_charts": f"tracking/run/?experiment={scene.experiment.pk}&view=charts&{some}",
        "runs_bad_filter": "tracking/run/?q=metrics.auc+%3E",
        "runs_none": "tracking/run/?q=nobody+is+called+so",
        "run": f"tracking/run/{run.pk}/change/",
        "run_file": f"tracking/run/{run.pk}/change/?file=notes.md&smooth=0.6&x=time",
        "compare": f"compare/?{some}",
        "compare_none": "compare/",
        "artifacts": "registry/artifact/",
        "artifact": f"registry/artifact/{scene.artifacts[0].pk}/change/",
        "version": f"registry/artifactversion/{scene.version.pk}/change/",
        "impact": "impact/",
        "impact_refused": "impact/?unit=project",
        "trainings": "impact/trainings/",
        "calibration": "impact/calibration/",
        "what_if": f"what-if/?project={scene.open_project.pk}",
        **{f"what_if_{name}": f"what-if/{question.pk}/" for name, question in scene.questions.items()},
        "search": "search/?q=churn",
        "settings": "settings/",
        "people": "auth/user/",
    }
    return f"{site.url}/{paths[name]}"


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_clean(look: Callable[..., Look], site: Site, name: str, width: int, theme: str) -> None:
    seen = look(width, theme)
    seen.open(address(site, name))
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    assert len(seen.page.content()) < MAX_HTML_BYTES * 2
    undrawn = seen.page.locator("[data-chart]:not([data-drawn])").count()
    assert undrawn == 0
    if SHOTS:
        seen.page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}.png", full_page=True)
    found = Axe().run(seen.page).response["violations"]
    grave = [
        f"{item['id']}: {item['nodes'][0]['html'][:160]}" for item in found if item["impact"] in {"critical", "serious"}
    ]
    assert grave == []


def test_pages_stay_light(look: Callable[..., Look], site: Site) -> None:
    seen = look()
    for name in PAGES:
        answer = seen.page.goto(address(site, name))
        assert answer is not None
        assert len(answer.body()) < MAX_HTML_BYTES, name
