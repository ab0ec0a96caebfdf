"""A browser, a tenant to look at, and a page that remembers what the browser complained about."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from django_tenants.utils import tenant_context
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from apps.tenants import provisioning
from maestro.database.session import connection
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.browser.scene import PASSWORD, Scene, build
from tests.web import WebServer

# A role is the whole server's, so the databases of two workers must not share its name.
SLUG = f"look-{os.getpid()}"


@dataclass
class Site:
    """A tenant's admin as a signed-in person sees it."""

    url: str
    scene: Scene
    cookies: list[Any] = field(default_factory=list)


@dataclass
class Look:
    """A page, and everything the browser said against it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> None:
        """Go there and scroll through, so that what waits to be seen is drawn."""
        self.complaints.clear()
        answer = self.page.goto(url)
        assert answer is not None
        assert answer.status == 200, f"{url} answered {answer.status}"
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, min(height, 12_000), 900):
            self.page.evaluate("top => window.scrollTo(0, top)", top)
            self.page.wait_for_timeout(30)
        self.page.evaluate("window.scrollTo(0, 0)")
        self.page.wait_for_load_state("networkidle")


def apart(work: Callable[[], Any]) -> Any:
    """Do database work in a thread of its own: Playwright keeps an event loop in this one, which Django refuses."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def furnish() -> Scene:
    """Make the tenant and its rows."""
    try:
        connection.set_schema_to_public()
        with tenant_context(provisioning.create(SLUG, name="Look")):
            return build()
    finally:
        connection.close()


def clear() -> None:
    """Erase the tenant."""
    try:
        provisioning.erase(SLUG)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def site(web: WebServer, browser: Browser, django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """A tenant with rows to look at, and the cookies of a person signed in to it."""
    with django_db_blocker.unblock():
        scene = apart(furnish)
    made = Site(f"{web.url_of(SLUG)}/admin", scene)
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{made.url}/login/")
    page.fill("#id_username", "ada")
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#side")
    made.cookies = context.cookies()
    context.close()
    yield made
    with django_db_blocker.unblock():
        apart(clear)


@pytest.fixture(scope="module")
def look(browser: Browser, site: Site) -> Iterator[Callable[..., Look]]:
    """A window, kept for the module: look(width=390, theme="dark")."""
    windows: dict[tuple[int, str], Look] = {}

    def window(width: int = 1440, theme: str = "light") -> Look:
        if (width, theme) not in windows:
            scheme: Any = theme
            context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
            context.add_cookies(site.cookies)
            windows[width, theme] = watched(context.new_page())
        return windows[width, theme]

    yield window
    for made in windows.values():
        made.page.context.close()


def watched(page: Page) -> Look:
    """Listen to what the browser says against a page."""
    made = Look(page)

    def listen(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            made.complaints.append(said.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    return made
