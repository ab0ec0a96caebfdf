"""The second factor in a real browser: set up by the picture's secret, sign out, sign in with a code; no complaints."""

import base64
import time
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import Group, User
from django_otp.oath import hotp
from django_tenants.utils import tenant_context
from playwright.sync_api import Browser, Page

from apps.tenants.models import Tenant
from maestro.database.session import connection
from tests.browser.conftest import Look, Site, apart, new_page, watched

pytestmark = pytest.mark.browser
PASSWORD = "a password for the second factor"


def make_person(slug: str, name: str) -> None:
    """Make somebody who may look."""
    try:
        connection.set_schema_to_public()
        with tenant_context(Tenant.objects.get(slug=slug)):
            person = User.objects.create_user(name, password=PASSWORD, is_staff=True)
            person.groups.add(Group.objects.get(name="viewer"))
    finally:
        connection.close()


def code_of(secret: str, later: int = 0) -> str:
    """What the app shows; a code is used once, so the next sign-in takes the next one."""
    return f"{hotp(base64.b32decode(secret), int(time.time()) // 30 + later):06d}"


def sign_in(page: Page, site: Site, name: str) -> None:
    """Give name and password."""
    page.goto(f"{site.url}/login/")
    page.fill("#id_username", name)
    page.fill("#id_password", PASSWORD)
    page.click("input[type=submit]")


def assert_clean(seen: Look, width: int) -> None:
    """Nothing is blocked by the content policy, nothing overflows, nobody is shut out."""
    assert seen.complaints == []
    assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(seen.page).response["violations"]
    grave = [item for item in found if item["impact"] in {"critical", "serious"}]
    assert [(item["id"], item["nodes"][0]["html"][:200]) for item in grave] == []


@pytest.mark.parametrize("width", [1440, 390])
def test_a_person_sets_up_a_second_factor_and_signs_in_with_it(
    browser: Browser, site: Site, django_db_blocker: Any, width: int
) -> None:
    name = f"second-{width}"
    with django_db_blocker.unblock():
        apart(lambda: make_person(site.slug, name))
    seen = watched(new_page(browser, viewport={"width": width, "height": 900}))
    page: Page = seen.page
    sign_in(page, site, name)
    page.goto(f"{site.url}/second-factor/")
    assert_clean(seen, width)
    page.get_by_role("button", name="Set it up").click()
    picture = page.locator("img.qr")
    picture.wait_for()
    assert picture.evaluate("image => image.complete && image.naturalWidth > 0")
    secret = page.locator("#secret").inner_text().replace(" ", "")
    assert_clean(seen, width)
    page.get_by_label("The code that the app shows now").fill(code_of(secret))
    page.get_by_role("button", name="Turn it on").click()
    codes = page.locator("#recovery-codes li").all_inner_texts()
    assert len(codes) == 10
    assert_clean(seen, width)
    page.context.clear_cookies()
    sign_in(page, site, name)
    page.get_by_label("The code of your authenticator app").fill(code_of(secret, 1))
    assert_clean(seen, width)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(f"{site.url}/")
    assert page.get_by_role("heading", name="Home").count() <= 1
    assert seen.complaints == []
    page.context.close()
