"""Changes to many runs in a browser: selected, asked, done, taken back; pages wide and light, narrow and dark."""

from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Look, Site

pytestmark = pytest.mark.browser
WINDOWS = [(1440, "light"), (390, "dark")]


@pytest.mark.parametrize(("width", "theme"), WINDOWS)
@pytest.mark.parametrize("name", ["tag", "move", "trash", "delete_none", "rules", "new_rule"])
def test_a_page_of_changes_is_whole(look: Callable[..., Look], site: Site, name: str, width: int, theme: str) -> None:
    some = "&".join(f"run={run.pk.hex}" for run in site.scene.runs[3:6])
    paths = {
        "tag": f"runs/act/?do=tag&which=chosen&{some}",
        "move": "runs/act/?do=move&which=found&q=",
        "trash": "runs/trash/",
        "delete_none": "runs/act/?do=delete&which=found",
        "rules": "tracking/liferule/",
        "new_rule": "tracking/liferule/add/",
    }
    seen = look(width, theme)
    seen.open(f"{site.url}/{paths[name]}")
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    faults = Axe().run(seen.page).response["violations"]
    assert [fault["id"] for fault in faults if fault["impact"] == "critical"] == []


def test_selected_runs_go_to_the_trash_and_come_back(look: Callable[..., Look], site: Site) -> None:
    page = look(1440).page
    page.goto(f"{site.url}/tracking/run/?q=mellow-fox-1")
    boxes = page.locator("input[type=checkbox][name=run]")
    count = boxes.count()
    for index in range(2):
        boxes.nth(index).check()
    page.get_by_text("Change or export many").click()
    page.get_by_role("button", name="Throw away…").click()
    page.get_by_role("button", name="Throw away 2 runs").click()
    page.wait_for_selector(".messagelist")
    assert "2 of 2 runs in the trash" in page.locator(".messagelist").inner_text()
    assert page.locator("input[type=checkbox][name=run]").count() == count - 2
    page.goto(f"{site.url}/runs/trash/")
    for index in range(2):
        page.locator("input[type=checkbox][name=run]").nth(index).check()
    page.get_by_role("button", name="Restore selected…").click()
    page.get_by_role("button", name="Restore 2 runs").click()
    page.wait_for_selector(".messagelist")
    assert "Nothing is in the trash" in page.content()
