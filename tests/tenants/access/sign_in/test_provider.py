"""Sign-in end to end: a real provider in its own process, a real server, a real browser."""

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.contrib.auth.models import User
from django_tenants.utils import tenant_context
from playwright.sync_api import Browser, Page

from apps.tenants import provisioning
from apps.tenants.access.models import OidcProvider, role_of_person
from apps.tenants.access.sign_in.sealing import seal
from apps.tenants.models import Tenant
from maestro.database.session import connection
from tests.browser.conftest import apart, browser, new_page
from tests.patience import START_SECONDS
from tests.ports import claim_ports
from tests.web import WebServer, start_web

ROOT = Path(__file__).resolve().parents[4]
SECRET = secrets.token_urlsafe(32)
PEOPLE: dict[str, Any] = {"ada": ["adas-long-password", ["ml-leads"]], "eve": ["eves-long-password", ["tennis"]]}
__all__ = ["browser"]
pytestmark = pytest.mark.browser


@dataclass
class Provider:
    """The provider's process, and how to start it again with its next key."""

    folder: Path
    port: int
    redirect: str
    process: subprocess.Popen[bytes] | None = None
    tenant: Any = None

    @property
    def url(self) -> str:
        """Its issuer."""
        return f"http://127.0.0.1:{self.port}"

    def write_key(self, name: str) -> None:
        """Make an RSA key."""
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        (self.folder / name).write_bytes(
            key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )

    def start(self) -> None:
        """Start it and wait until it answers."""
        host = self.redirect.partition("/sign-in/")[0]
        data: dict[str, Any] = {"client_id": "maestro", "client_secret": SECRET, "redirect_uri": self.redirect}
        data |= {"after_logout": f"{host}/admin/login/", "people": PEOPLE}
        told = {
            "PROVIDER_FOLDER": str(self.folder),
            "PROVIDER_SECRET": SECRET,
            "PROVIDER_URL": self.url,
            "PROVIDER_DATA": json.dumps(data),
            "DJANGO_SETTINGS_MODULE": "tests.provider.settings",
        }
        with open(self.folder / "log", "ab") as log:
            command = [sys.executable, "-m", "tests.provider.serve", str(self.port)]
            self.process = subprocess.Popen(command, cwd=ROOT, env=os.environ | told, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.url}/.well-known/openid-configuration", timeout=10).close()
                return
            except OSError:
                time.sleep(0.2)
        raise RuntimeError((self.folder / "log").read_text()[-2000:])

    def stop(self) -> None:
        """End it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()


@pytest.fixture(scope="module")
def server(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    made = start_web(test_environment | {"MAESTRO_EGRESS_ALLOW": "127.0.0.1/32"})
    yield made
    made.stop()


def make_tenant(url: str, slug: str) -> Tenant:
    """Make a tenant whose people sign in at the provider."""
    try:
        connection.set_schema_to_public()
        tenant = provisioning.create(slug)
        with tenant_context(tenant):
            OidcProvider.objects.create(
                slug="work",
                name="Provider",
                issuer=url,
                client_id="maestro",
                sealed_secret=seal(SECRET),
                group_roles={"ml-leads": "approver"},
            )
        return tenant
    finally:
        connection.close()


def erase(tenant: Tenant) -> None:
    """Erase it."""
    try:
        provisioning.erase(tenant.slug)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def provider(server: WebServer, tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[Provider]:
    slug = f"people-{secrets.token_hex(3)}"
    redirect = f"{server.url_of(slug)}/sign-in/callback/"
    made = Provider(tmp_path_factory.mktemp("provider"), claim_ports(1)[0], redirect)
    made.write_key("key.pem")
    made.write_key("old-next.pem")
    made.start()
    with django_db_blocker.unblock():
        made.tenant = apart(lambda: make_tenant(made.url, slug))
        yield made
        apart(lambda: erase(made.tenant))
    made.stop()


def sign_in(page: Page, home: str, name: str) -> Any:
    """Go from Maestro's sign-in page through the provider's, and agree."""
    page.goto(f"{home}/admin/login/")
    page.get_by_text("Sign in with Provider").click()
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(PEOPLE[name][0])
    page.get_by_text("Log in").click()
    agree = page.locator("input[name=allow]")
    if agree.count():
        agree.click()
    page.wait_for_load_state()


def role_in(tenant: Tenant, name: str) -> str | None:
    def ask() -> str | None:
        try:
            with tenant_context(tenant):
                return role_of_person(User.objects.get(username=name))
        finally:
            connection.close()

    return apart(ask)


def test_a_person_signs_in_through_a_rotated_key_and_out(
    server: WebServer, provider: Provider, browser: Browser
) -> None:
    home = server.url_of(provider.tenant.slug)
    page = new_page(browser)
    sign_in(page, home, "ada")
    assert page.url == f"{home}/admin/"
    assert role_in(provider.tenant, "ada") == "approver"
    provider.stop()
    old, following = provider.folder / "key.pem", provider.folder / "old-next.pem"
    old.rename(provider.folder / "old-last.pem")
    following.rename(old)
    provider.start()
    second = new_page(browser)
    sign_in(second, home, "ada")
    assert second.url == f"{home}/admin/"
    leave(second)
    assert "You are signed out of Maestro" in second.content()
    second.get_by_text("Sign out of Provider too").click()
    second.wait_for_load_state()
    assert second.url.startswith(f"{home}/admin/login/")
    second.goto(f"{home}/sign-in/work/")
    assert second.url.startswith(f"{provider.url}/login/")


def leave(page: Page) -> None:
    """Send the form of the way out, as a page of ours would."""
    page.evaluate(
        """() => {
            const form = document.createElement("form");
            form.method = "post"; form.action = "/sign-out/";
            const field = document.createElement("input");
            field.name = "csrfmiddlewaretoken";
            field.value = document.querySelector("[name=csrfmiddlewaretoken]").value;
            form.append(field); document.body.append(form); form.submit();
        }"""
    )
    page.wait_for_load_state()
    page.wait_for_url("**/sign-out/")


def test_a_person_without_a_group_stays_out(server: WebServer, provider: Provider, browser: Browser) -> None:
    home = server.url_of(provider.tenant.slug)
    page = new_page(browser)
    sign_in(page, home, "eve")
    assert "did not work" in page.content()
    page.goto(f"{home}/admin/")
    assert "/admin/login/" in page.url
