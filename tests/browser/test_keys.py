"""From the list to the reason to the comparison, with the keyboard alone; and what the list remembers."""

from collections.abc import Callable

import pytest

from tests.browser.conftest import Look, Site

pytestmark = pytest.mark.browser


@pytest.fixture
def seen(look: Callable[..., Look], site: Site) -> Look:
    """The wide, light window."""
    return look()


def test_the_link_past_the_menu_comes_first_and_is_seen(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/")
    seen.page.keyboard.press("Tab")
    assert seen.page.evaluate("document.activeElement.className") == "skip-to-content-link"
    seen.page.wait_for_timeout(500)  # it may slide in
    middle = """() => { const box = document.activeElement.getBoundingClientRect();
        return document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2) === document.activeElement; }"""
    assert seen.page.evaluate(middle)
    seen.page.keyboard.press("Enter")
    assert seen.page.evaluate("document.activeElement.closest('main, #content, #main') !== null")


def test_the_best_run_is_found_understood_and_compared_without_a_mouse(seen: Look, site: Site) -> None:
    keys, page = seen.page.keyboard, seen.page
    seen.open(f"{site.url}/")
    keys.press("g")
    keys.press("r")
    page.wait_for_url("**/tracking/run/**")
    keys.press("/")
    keys.type("metrics.accuracy > 0.855")
    keys.press("Enter")
    page.wait_for_url("**accuracy**0.855**")
    assert page.locator("tbody tr").count() == 6
    keys.press("s")
    assert page.evaluate("document.activeElement.textContent.trim()") == "accuracy"
    keys.press("Enter")
    page.wait_for_url("**sort=-m.accuracy**")
    keys.press("j")
    assert page.evaluate("document.activeElement.textContent") == "mellow-fox-11"
    keys.press("Enter")
    page.wait_for_url("**/change/**")
    assert page.inner_text("h1") == "mellow-fox-11"
    assert page.get_by_role("region", name="Params").get_by_text("0.12").is_visible()
    keys.press("c")
    page.wait_for_url("**/compare/**")
    keys.press("ArrowDown")
    keys.press("j")
    keys.press("j")
    keys.press("Space")
    keys.press("c")
    seen.until("document.querySelector('h1').textContent.startsWith('Compare 2 runs')")
    heads = page.inner_text(".compare-table thead")
    assert "mellow-fox-11" in heads
    assert "mellow-fox-9" in heads
    assert "learning_rate" in page.inner_text(".compare-table")
    assert seen.complaints == []


def test_a_project_leads_to_its_own_runs_and_their_names(seen: Look, site: Site) -> None:
    keys, page, project = seen.page.keyboard, seen.page, f"project={site.scene.open_project.pk}"
    seen.open(f"{site.url}/tracking/project/{site.scene.open_project.pk}/change/")
    keys.press("j")
    assert "mellow-fox" in page.evaluate("document.activeElement.textContent")
    keys.press("r")
    page.wait_for_url(f"**{project}")
    keys.press("/")
    with page.expect_request(lambda request: "/keys/" in request.url) as asked:
        keys.type("boos")
    assert project in asked.value.url
    keys.press("Escape")
    seen.until("document.querySelector('.completions').hidden")
    keys.press("Escape")
    keys.press("j")
    keys.press("Enter")
    page.wait_for_url("**/change/**")
    keys.press("r")
    page.wait_for_url(f"**experiment={site.scene.experiment.pk}")
    assert seen.complaints == []


def test_a_key_that_finds_nothing_says_so(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/?q=nobody+is+called+so")
    for key, told in (("s", "list is empty"), ("j", "list is empty"), ("n", "no next page"), ("e", "No row is marked")):
        seen.page.keyboard.press(key)
        assert told in seen.page.inner_text("[data-said]"), key


def test_a_chart_is_a_stop_of_the_keyboard_while_it_is_wider_than_its_place(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/{site.scene.runs[3].pk}/change/")
    box = "document.querySelector('.chart-scroll')"
    assert seen.page.evaluate(f"{box}.getAttribute('tabindex')") is None
    seen.page.evaluate(f"{box}.firstElementChild.style.minWidth = '3000px'")
    seen.until(f"{box}.tabIndex === 0 && {box}.role === 'region' && {box}.ariaLabel.endsWith('scrollable')")
    seen.page.evaluate(f"{box}.firstElementChild.style.minWidth = ''")
    seen.until(f"{box}.tabIndex === -1 && !{box}.role")


def test_rows_are_chosen_by_keys_and_kept_by_sorting_and_paging(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}")
    for key in ("j", "x", "j", "Space", "ArrowDown"):
        seen.page.keyboard.press(key)
    assert seen.page.locator("input[type=checkbox][name=run]:checked").count() == 2
    assert seen.page.url.count("run=") == 2
    assert "(2)" in seen.page.inner_text("[data-compare]")
    seen.page.keyboard.press("s")
    seen.page.keyboard.press("Enter")
    seen.page.wait_for_url("**sort=-m.**")
    assert seen.page.locator("input[type=checkbox][name=run]:checked").count() == 2
    seen.page.keyboard.press("v")
    seen.page.wait_for_url("**view=charts**")
    assert "2 selected runs" in seen.page.inner_text("#run-form")


def test_an_eye_hides_a_line_and_the_address_remembers(seen: Look, site: Site) -> None:
    some = "&".join(f"run={run.pk.hex}" for run in site.scene.runs[3:6])
    seen.open(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}&view=charts&c=m.auc&cols=1&{some}")
    drawn = "echarts.getInstanceByDom(document.querySelector('.chart-canvas')).getOption().series.length"
    assert seen.page.evaluate(drawn) == 3
    seen.page.locator(f"[data-eye='{site.scene.runs[4].pk.hex}']").click()
    seen.until(f"{drawn} === 2")
    assert f"hide={site.scene.runs[4].pk.hex}" in seen.page.url
    seen.page.reload()
    seen.page.wait_for_selector("[data-drawn]")
    assert seen.page.evaluate(drawn) == 2
    seen.page.locator(f"input[value='{site.scene.runs[7].pk.hex}']").check()
    seen.until(f"{drawn} === 3")


def test_a_view_is_kept_opened_and_deleted_by_keys(seen: Look, site: Site) -> None:
    keys, page = seen.page.keyboard, seen.page
    seen.open(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}&sort=-m.auc&c=m.auc&cols=1")
    keys.press("o")
    page.get_by_label("Name of the new view", exact=True).focus()
    keys.type("by auc")
    keys.press("Enter")
    page.wait_for_url("**saved=**")
    assert "View: by auc" in page.inner_text("[data-views]")
    page.locator("details.views summary").click()
    page.get_by_role("button", name="Open first here").click()
    page.wait_for_load_state()
    page.goto(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}")
    assert "sort=-m.auc" in page.url
    page.once("dialog", lambda dialog: dialog.accept())
    page.locator("details.views summary").click()
    page.get_by_role("button", name="Delete").click()
    page.wait_for_load_state()
    assert "is deleted" in page.inner_text(".messagelist")
    assert seen.complaints == []


def test_columns_are_found_by_a_piece_of_their_name(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}&c=m.auc&cols=1")
    seen.page.locator(".column-picker summary").click()
    seen.page.locator("[data-find-columns]").fill("boost")
    seen.page.locator("input[value='p.boosting']").check()
    seen.page.get_by_role("button", name="Show these columns").click()
    seen.page.wait_for_url("**c=p.boosting**")
    assert "boosting" in seen.page.inner_text("thead")


def test_brushing_an_axis_offers_what_is_left(seen: Look, site: Site) -> None:
    some = "&".join(f"run={run.pk.hex}" for run in site.scene.runs[3:7])
    seen.open(f"{site.url}/compare/?{some}&axis=p.learning_rate&axis=m.auc")
    chart = "echarts.getInstanceByDom(document.querySelector('.chart-parallel .chart-canvas'))"
    brushed = {"type": "axisAreaSelect", "parallelAxisIndex": 0, "intervals": [[0.035, 0.055]]}
    seen.page.evaluate(f"(action) => {chart}.dispatchAction(action)", brushed)
    seen.page.wait_for_selector("[data-brushed]:not([hidden])")
    assert "2 of 4 runs" in seen.page.inner_text("[data-brushed]")
    seen.page.locator("[data-brushed] a").click()
    seen.until("document.querySelector('h1').textContent.includes('2 runs')")
