"""What people do with the pages: keys, charts as tables, smoothing, live runs, themes, the drawer, hostile text."""

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog

from tests.browser.conftest import Look, Site
from tests.patience import ANSWER_SECONDS

pytestmark = pytest.mark.browser


@pytest.fixture
def seen(look: Callable[..., Look], site: Site) -> Look:
    """The wide, light window."""
    return look()


def run_url(site: Site, index: int = 3) -> str:
    return f"{site.url}/tracking/run/{site.scene.runs[index].pk}/change/"


def curves_of(asked: list[str], site: Site, index: int) -> int:
    """How many of the addresses asked for points of a run."""
    return sum("/curves/" in url and site.scene.runs[index].pk.hex in url for url in asked)


def test_slash_focuses_the_page_filter_and_question_mark_lists_the_keys(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/")
    seen.page.keyboard.press("/")
    assert seen.page.evaluate("document.activeElement.name") == "q"
    assert seen.page.evaluate("document.activeElement.closest('#header')") is None
    seen.page.keyboard.press("Escape")
    seen.page.evaluate("document.activeElement.blur()")
    seen.page.keyboard.press("?")
    assert seen.page.locator("dialog.shortcuts").is_visible()


def test_the_filter_completes_names_and_keeps_a_wrong_filter_to_mend(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/")
    box = seen.page.locator("input[name=q][data-words]")
    box.press_sequentially("acc")
    seen.page.keyboard.press("ArrowDown")
    seen.page.keyboard.press("Enter")
    assert box.input_value() == "metrics.accuracy "
    box.press_sequentially("> ")
    box.press("Enter")
    seen.page.wait_for_url("**q=metrics.accuracy**")
    assert seen.page.locator("#filter-problem").is_visible()
    assert seen.page.locator("input[name=q][data-words]").input_value().startswith("metrics.accuracy >")


def test_switching_to_charts_keeps_the_selection(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/tracking/run/?experiment={site.scene.experiment.pk}")
    for box in seen.page.locator("input[type=checkbox][name=run]").all()[2:5]:
        box.check()
    seen.page.get_by_role("button", name="Charts").click()
    seen.page.wait_for_url("**view=charts**")
    assert "3 selected runs" in seen.page.inner_text("#run-form")
    seen.page.get_by_role("button", name="List").click()
    seen.page.wait_for_url("**/tracking/run/**")
    assert seen.page.locator("input[type=checkbox][name=run]:checked").count() == 3


def test_a_chart_has_a_table_and_a_csv_of_every_point(seen: Look, site: Site) -> None:
    seen.open(run_url(site))
    figure = seen.page.locator("figure[data-chart]").first
    figure.locator("[data-twin]").click()
    assert figure.locator(".chart-twin tbody tr").count() == 300
    with seen.page.expect_download() as caught:
        figure.locator("[data-csv]").click()
    text = caught.value.path().read_text()
    assert text.startswith("Step,mellow-fox-3")
    assert len(text.splitlines()) == 301
    assert seen.complaints == []


def test_smoothing_and_axes_are_kept_in_the_address(seen: Look, site: Site) -> None:
    seen.open(run_url(site))
    slider = seen.page.locator("[data-curve-tools] input[name=smooth]")
    slider.fill("0.6")
    seen.page.locator("[data-curve-tools] input[name=log]").check()
    seen.page.locator("[data-curve-tools] input[value=time]").check()
    assert "smooth=0.6" in seen.page.url
    assert "log=1" in seen.page.url
    assert "x=time" in seen.page.url
    seen.page.reload()
    seen.page.wait_for_selector("[data-drawn]")
    assert seen.page.locator("[data-curve-tools] output").inner_text() == "0.60"
    drawn = seen.page.evaluate(
        "echarts.getInstanceByDom(document.querySelector('.chart-canvas')).getOption().series.length"
    )
    assert drawn == 2


def test_smoothing_does_not_start_from_zero(seen: Look, site: Site) -> None:
    seen.open(run_url(site))
    smoothed = seen.page.evaluate(
        "Maestro.smoothed([[0, 4, 0], [1, null, 1], [2, 4, 2], [3, 8, 3]], 0.5).map((p) => p[1])"
    )
    assert smoothed[:3] == [4, None, 4]
    assert smoothed[3] == pytest.approx((4 * 0.25 + 4 * 0.5 + 8) / 1.75)


def test_a_hover_over_a_chart_breaks_no_policy(seen: Look, site: Site) -> None:
    seen.open(run_url(site))
    box = seen.page.locator(".chart-canvas").first.bounding_box()
    assert box is not None
    seen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    seen.page.wait_for_timeout(300)
    assert seen.complaints == []


def test_a_live_run_asks_again_and_a_finished_one_does_not(look: Callable[..., Look], site: Site) -> None:
    asked: list[str] = []
    finished, live = look(), look(1200)
    for seen, index in ((finished, 3), (live, 0)):
        seen.page.on("request", lambda request: asked.append(request.url))
        seen.open(run_url(site, index))
    deadline = time.monotonic() + ANSWER_SECONDS
    while curves_of(asked, site, 0) < 3 and time.monotonic() < deadline:
        live.page.wait_for_timeout(100)
    assert curves_of(asked, site, 0) >= 3
    # It was opened before the other, and so had the time to ask as often.
    assert curves_of(asked, site, 3) == 1


def test_charts_follow_the_theme(seen: Look, site: Site) -> None:
    seen.open(f"{site.url}/impact/")
    seen.page.evaluate("localStorage.setItem('theme', 'light'); document.documentElement.dataset.theme = 'light'")
    light = seen.page.evaluate("Maestro.theme().textStyle.color")
    seen.page.evaluate("document.documentElement.dataset.theme = 'dark'")
    dark = seen.page.evaluate("Maestro.theme().textStyle.color")
    seen.page.evaluate("localStorage.removeItem('theme')")
    assert (light, dark) == ("rgb(23, 32, 43)", "rgb(231, 236, 242)")
    assert seen.complaints == []


def test_navigation_is_a_drawer_on_a_phone(look: Callable[..., Look], site: Site) -> None:
    seen = look(390, "light")
    seen.open(f"{site.url}/")
    assert not seen.page.locator("#side a").first.is_visible()
    seen.page.get_by_role("button", name="Open navigation").click()
    seen.page.locator("#side a", has_text="Impact").click()
    seen.page.wait_for_url("**/impact/")
    seen.page.go_back()
    seen.page.get_by_role("button", name="Open navigation").click()
    seen.page.keyboard.press("Escape")
    seen.page.locator("#side a").first.wait_for(state="hidden")
    assert seen.page.evaluate("document.activeElement.getAttribute('aria-controls')") == "side"


def test_text_from_outside_stays_text(seen: Look, site: Site) -> None:
    fired: list[str] = []

    def note(dialog: Dialog) -> None:
        fired.append(dialog.message)
        dialog.dismiss()

    seen.page.on("dialog", note)
    scene = site.scene
    for address in (
        f"{site.url}/",
        f"{site.url}/tracking/project/{scene.project.pk}/change/",
        f"{site.url}/registry/artifact/{scene.artifacts[0].pk}/change/",
        f"{run_url(site)}?file=notes.md",
        f"{run_url(site)}?file=page.html",
        f"{site.url}/search/?q=%3Cscript%3Ealert(1)%3C/script%3E",
    ):
        seen.open(address)
        assert (
            seen.page.locator(
                "img[onerror], main script:not([type='application/json']), a[href^='javascript:']"
            ).count()
            == 0
        )
    assert fired == []


def test_a_page_that_a_run_logged_is_never_run(seen: Look, site: Site) -> None:
    path = f"/admin/tracking/run/{site.scene.runs[3].pk}/file/?path=page.html&inline"
    seen.open(run_url(site))
    read = "fetch(path).then((answer) => Object.fromEntries(answer.headers))"
    headers = seen.page.evaluate(f"(path) => {read}", path)
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"].startswith("attachment")
    assert headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in headers["content-security-policy"]
