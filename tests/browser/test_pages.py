"""Every page of a tenant and of the operators, wide and light, narrow and dark: one walk a window.

On each page: nothing the browser complains of (its content security policy among it), nothing wider than the
window, every chart drawn, no critical or serious accessibility fault, and HTML of at most 150 kB. With
MAESTRO_WINDOWS=all the other two windows are walked too: width and theme hardly meddle with one another. With
MAESTRO_SHOTS=folder each page is also written there as a picture.
"""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.conftest import Look, Site
from tests.browser.places import pages_of

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("MAESTRO_SHOTS", "")
ONLY = os.environ.get("MAESTRO_PAGES", "")
MAX_HTML_BYTES = 150_000
WINDOWS = [(1440, "light"), (390, "dark")]
if os.environ.get("MAESTRO_WINDOWS") == "all":
    WINDOWS += [(1440, "dark"), (390, "light")]
windows = pytest.mark.parametrize(("width", "theme"), WINDOWS)

# Fields that reach beyond their card or the window, outside what scrolls by itself.
CUT = """[...document.querySelectorAll("#content :is(input, select, textarea, button, .help)")].filter((one) => {
  const place = one.getBoundingClientRect(), card = one.closest("fieldset, .card, .module");
  const edge = card ? card.getBoundingClientRect().right : innerWidth;
  return place.width > 2 && place.right > edge + 1 && !one.closest(".table-wrap, .results, pre");
}).map((one) => one.name || one.className)"""


def faults(seen: Look, url: str, width: int) -> list[str]:
    """Open a page; whatever is wrong with it, in words."""
    size = seen.open(url)
    found = [f"said: {said[:200]}" for said in seen.complaints]
    if size > MAX_HTML_BYTES:
        found.append(f"{size} bytes of HTML")
    if (wide := seen.page.evaluate("document.documentElement.scrollWidth")) > width:
        found.append(f"{wide} px wide")
    if cut := seen.page.evaluate(CUT):
        found.append(f"cut at the edge: {cut[:5]}")
    if undrawn := seen.page.locator("[data-chart]:not([data-drawn])").count():
        found.append(f"{undrawn} charts are not drawn")
    violations = Axe().run(seen.page).response["violations"]
    grave = [item for item in violations if item["impact"] in {"critical", "serious"}]
    return found + [f"axe {item['id']}: {item['nodes'][0]['html'][:160]}" for item in grave]


def walk(seen: Look, pages: Iterable[tuple[str, str]], width: int, theme: str) -> dict[str, list[str]]:
    """Open page after page in one window: the faults of those that have any."""
    wrong: dict[str, list[str]] = {}
    for name, url in pages:
        if not any(word in name for word in ONLY.split(",")):
            continue
        if found := faults(seen, url, width):
            wrong[name] = found
        if SHOTS:
            seen.page.screenshot(path=Path(SHOTS) / f"{name}-{width}-{theme}.png", full_page=True)
    return wrong


@windows
def test_every_page_of_a_tenant_is_clean(look: Callable[..., Look], site: Site, width: int, theme: str) -> None:
    pages = pages_of(site)
    assert len(pages) > 30
    assert walk(look(width, theme), pages.items(), width, theme) == {}


@windows
def test_every_table_under_settings_is_clean(look: Callable[..., Look], site: Site, width: int, theme: str) -> None:
    seen = look(width, theme)
    seen.open(f"{site.url}/settings/")
    # Their forms are of one kind, and what is narrow is harder for them.
    asked = ".app-grid th a, .app-grid .addlink" if width < 700 else ".app-grid th a"
    links = seen.page.eval_on_selector_all(asked, "all => all.map((a) => a.href)")
    tables = {link.removeprefix(site.url).strip("/").replace("/", "_"): link for link in links}
    assert len(tables) > 10
    assert walk(seen, tables.items(), width, theme) == {}


@windows
def test_the_way_in_is_clean(stranger: Callable[..., Look], site: Site, width: int, theme: str) -> None:
    seen = stranger(width, theme)
    assert walk(seen, [("login", f"{site.url}/login/")], width, theme) == {}


@windows
def test_every_page_of_the_operators_is_clean(
    operator: Callable[..., Look], operator_url: str, width: int, theme: str
) -> None:
    seen = operator(width, theme)
    seen.open(f"{operator_url}/settings/")
    # Their forms are of one kind, and what is narrow is harder for them.
    asked = ".app-grid th a, .app-grid .addlink" if width < 700 else ".app-grid th a"
    links = seen.page.eval_on_selector_all(asked, "all => all.map((a) => a.href)")
    tables = {f"operator_{link.removeprefix(operator_url).strip('/').replace('/', '_')}": link for link in links}
    first = {"operator_home": f"{operator_url}/", "operator_settings": f"{operator_url}/settings/"}
    assert len(tables) > 2
    assert walk(seen, (first | tables).items(), width, theme) == {}
