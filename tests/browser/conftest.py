"""A browser, a tenant to look at, and a page that remembers what the browser complained about."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest
from django.contrib.auth.models import User
from django_tenants.utils import tenant_context
from playwright.sync_api import Browser, ConsoleMessage, Error, Page, sync_playwright

from apps.tenants import provisioning
from maestro.database.session import connection
from tests.browser.chromium import ARGUMENTS, CHROMIUM
from tests.factories.scene import PASSWORD, Scene, build
from tests.patience import ANSWER_MS, ANSWER_SECONDS
from tests.web import WebServer

# A role is the whole server's, so the databases of two workers must not share its name; and the web server
# remembers for some seconds that a host of an erased tenant is nobody's, so no two modules share one either.
numbers = count(1)
OPERATOR = "operator-to-look"
WAIT_MS = 50
# Two frames: what comes into sight is told of between them, however busy the machine is.
SCROLL = "top => new Promise((go) => { scrollTo(0, top); requestAnimationFrame(() => requestAnimationFrame(go)); })"


@dataclass
class Site:
    """A tenant's admin as a signed-in person sees it."""

    url: str
    slug: str
    scene: Scene
    cookies: list[Any] = field(default_factory=list)


@dataclass
class Look:
    """A page, and everything the browser said against it."""

    page: Page
    complaints: list[str] = field(default_factory=list)

    def open(self, url: str) -> int:
        """Go there and scroll through, so that what waits to be seen is drawn. Returns the bytes of HTML."""
        self.complaints.clear()
        answer = self.page.goto(url)
        assert answer is not None
        assert answer.status == 200, f"{url} answered {answer.status}"
        height = self.page.evaluate("document.documentElement.scrollHeight")
        for top in range(0, min(height, 12_000), 900):
            self.page.evaluate(SCROLL, top)
        self.page.evaluate("window.scrollTo(0, 0)")
        if self.page.locator("[data-chart]").count():
            self.until("!document.querySelector('[data-chart]:not([data-drawn])')", fails=False)
        return len(answer.body())

    def until(self, truth: str, *, fails: bool = True) -> None:
        """Wait until an expression is true. Playwright's own waiting evaluates text, which the page's policy refuses."""
        deadline = time.monotonic() + ANSWER_SECONDS
        while time.monotonic() < deadline:
            with suppress(Error):  # the page may be on its way to another
                if self.page.evaluate(truth):
                    return
            self.page.wait_for_timeout(WAIT_MS)
        assert not fails, f"never: {truth}"


def apart(work: Callable[[], Any]) -> Any:
    """Do database work in a thread of its own: Playwright keeps an event loop in this one, which Django refuses."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def furnish(slug: str) -> Scene:
    """Make the tenant and its rows."""
    try:
        connection.set_schema_to_public()
        with tenant_context(provisioning.create(slug, name="Look")):
            return build()
    finally:
        connection.close()


def clear(slug: str) -> None:
    """Erase the tenant."""
    try:
        provisioning.erase(slug)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS, timeout=ANSWER_MS)
        yield launched
        launched.close()


def new_page(browser: Browser, **options: Any) -> Page:
    """A page in a window of its own, which waits as long as a busy machine may need."""
    context = browser.new_context(**options)
    context.set_default_timeout(ANSWER_MS)
    return context.new_page()


def sign_in(browser: Browser, url: str, name: str) -> list[Any]:
    """The cookies of somebody who typed their password."""
    page = new_page(browser)
    answer = page.goto(f"{url}/login/")
    assert answer is not None
    assert answer.status == 200, f"{url}/login/ answered {answer.status}"
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")
    page.wait_for_selector("#side")
    cookies = page.context.cookies()
    page.context.close()
    return list(cookies)


@pytest.fixture(scope="module")
def site(web: WebServer, browser: Browser, django_db_setup: None, django_db_blocker: Any) -> Iterator[Site]:
    """A tenant with rows to look at, and the cookies of a person signed in to it."""
    slug = f"look-{os.getpid()}-{next(numbers)}"
    with django_db_blocker.unblock():
        scene = apart(lambda: furnish(slug))
    made = Site(f"{web.url_of(slug)}/admin", slug, scene)
    made.cookies = sign_in(browser, made.url, "ada")
    yield made
    with django_db_blocker.unblock():
        apart(lambda: clear(slug))


Windows = Callable[..., Look]


def windows_of(browser: Browser, cookies: list[Any]) -> Iterator[Windows]:
    """Windows of one person, kept for the module: look(width=390, theme="dark")."""
    windows: dict[tuple[int, str], Look] = {}

    def window(width: int = 1440, theme: str = "light") -> Look:
        if (width, theme) not in windows:
            scheme: Any = theme
            page = new_page(browser, viewport={"width": width, "height": 900}, color_scheme=scheme)
            page.context.add_cookies(cookies)
            windows[width, theme] = watched(page)
        return windows[width, theme]

    yield window
    for made in windows.values():
        made.page.context.close()


@pytest.fixture(scope="module")
def look(browser: Browser, site: Site) -> Iterator[Windows]:
    """The windows of the tenant's admin."""
    yield from windows_of(browser, site.cookies)


@pytest.fixture(scope="module")
def stranger(browser: Browser, site: Site) -> Iterator[Windows]:
    """The windows of somebody who has not signed in."""
    yield from windows_of(browser, [])


def make_operator() -> None:
    """Make an operator in the public schema."""
    try:
        connection.set_schema_to_public()
        User.objects.filter(username=OPERATOR).delete()
        User.objects.create_superuser(OPERATOR, "", PASSWORD)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def operator_url(site: Site, web: WebServer) -> str:
    """The operators' site; there is a tenant to see."""
    return f"{web.url}/admin"


@pytest.fixture(scope="module")
def operator(browser: Browser, operator_url: str, django_db_blocker: Any) -> Iterator[Windows]:
    """The windows of an operator."""
    with django_db_blocker.unblock():
        apart(make_operator)
    yield from windows_of(browser, sign_in(browser, operator_url, OPERATOR))


def watched(page: Page) -> Look:
    """Listen to what the browser says against a page."""
    made = Look(page)

    def listen(said: ConsoleMessage) -> None:
        if said.type in {"error", "warning"}:
            made.complaints.append(said.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: made.complaints.append(str(error)))
    return made
