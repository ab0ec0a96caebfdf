"""Where somebody is signed in: their own browsers and programs, each with an end, and nobody else's."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.factors.models import Session
from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent, OidcProvider
from apps.tenants.access.tasks import forget_expired_everywhere
from apps.tenants.models import Tenant
from config.celery import app
from config.routes import all_routes

PAGE, BACKEND = "/admin/sign-ins/", "apps.tenants.access.sign_in.passwords.PasswordBackend"


def person(name: str) -> User:
    made = User.objects.create_user(name, is_staff=True)
    made.groups.add(Group.objects.get(name="viewer"))
    return made


def browser(who: User, host: str = "acme.localhost") -> Client:
    client = Client(headers={"host": host})
    client.force_login(who, backend=BACKEND)
    return client


def renew(refresh: str) -> int:
    client = Client(headers={"host": "acme.localhost"})
    body = {"refresh": refresh}
    return client.post("/api/v1/auth/token/refresh/", body, content_type="application/json").status_code


def ends(client: Client) -> list[str]:
    return re.findall(r'name="end"\s+value="([^"]+)"', client.get(PAGE).content.decode())


def test_one_ends_ones_own_browsers_and_programs_and_nobody_elses(acme: Tenant) -> None:
    ada, eve = person("ada"), person("eve")
    here, there, hers = browser(ada), browser(ada), browser(eve)
    mine, theirs = tokens.issue(ada, timezone.now()), tokens.issue(eve, timezone.now())
    other, program, everything = ends(here)
    assert everything == "all"
    assert there.session.session_key not in here.get(PAGE).content.decode()
    for wanted in ends(hers):
        here.post(PAGE, {"end": wanted if wanted != "all" else "nonsense"})
    assert hers.get(PAGE).status_code == 200
    assert renew(theirs.refresh) == 200
    here.post(PAGE, {"end": other})
    assert there.get(PAGE).status_code == 302
    here.post(PAGE, {"end": program})
    assert renew(mine.refresh) == 401
    assert here.get(PAGE).status_code == 200
    assert AuditEvent.objects.filter(action="person.sign_out", actor="person:ada").count() == 2


def test_all_but_this_browser_end_at_once(acme: Tenant) -> None:
    ada = person("ada")
    here, there = browser(ada), browser(ada)
    here.post(PAGE, {"end": "all"})
    assert (here.get(PAGE).status_code, there.get(PAGE).status_code) == (200, 302)


def test_operators_see_theirs_too(db: None) -> None:
    with schema_context("public"):
        root = User.objects.create_superuser("root", password="x")
        here, there = browser(root, "localhost"), browser(root, "localhost")
        assert here.get(PAGE).status_code == 200
        here.post(PAGE, {"end": "all"})
        assert there.get(PAGE).status_code == 302


def test_everything_means_every_session_however_many(acme: Tenant, django_assert_max_num_queries: Any) -> None:
    ada, eve = person("ada"), person("eve")
    oldest, here, hers = browser(ada), browser(ada), browser(eve)
    later = timezone.now() + timedelta(hours=13)
    Session.objects.bulk_create(
        Session(session_key=f"{who.pk}-{number}", session_data="x", expire_date=later, person_id=who.pk)
        for who, many in ((ada, 10_050), (eve, 3))
        for number in range(many)
    )
    page = here.get(PAGE).content.decode()
    assert "And 9852 older ones" in page
    with django_assert_max_num_queries(30):
        here.post(PAGE, {"end": "all"})
    assert Session.objects.filter(person_id=ada.pk).count() == 1
    assert Session.objects.filter(person_id=eve.pk).count() == 4
    assert [client.get(PAGE).status_code for client in (here, oldest, hers)] == [200, 302, 200]


@pytest.fixture
def at_once() -> Iterator[None]:
    """Tasks run where they are sent."""
    app.conf.task_always_eager = True
    yield
    app.conf.task_always_eager = False


def test_rows_of_sessions_that_are_over_go_everywhere(acme: Tenant, at_once: None) -> None:
    ada = person("ada")
    here, there = browser(ada), browser(ada)
    Session.objects.filter(pk=there.session.session_key).update(expire_date=timezone.now() - timedelta(seconds=1))
    with schema_context("public"):
        over = timezone.now() - timedelta(seconds=1)
        Session.objects.create(session_key="old", session_data="x", expire_date=over)
    forget_expired_everywhere()
    with tenant_context(acme):
        assert [one.pk for one in Session.objects.filter(person_id=ada.pk)] == [here.session.session_key]
    with schema_context("public"):
        assert not Session.objects.filter(pk="old").exists()


SAMPLES = {"uuid": str(uuid.UUID(int=7)), "int": "1", "path": "a/b.txt", "str": "nothing", "slug": "work"}


def addresses() -> list[str]:
    patterns = {route.pattern for route in all_routes() if "(?P" not in route.pattern}
    return sorted("/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: SAMPLES[m[1] or "str"], one) for one in patterns)


@pytest.mark.parametrize("schema", ["acme", "public"])
def test_anonymous_visits_leave_no_row(acme: Tenant, schema: str) -> None:
    where = {"authorization_url": "https://idp.example/a", "token_url": "https://idp.example/t"}
    where |= {"userinfo_url": "https://idp.example/u", "jwks_url": "https://idp.example/k"}
    OidcProvider.objects.create(slug="work", name="W", issuer="https://idp.example", client_id="m", **where)
    host = "localhost" if schema == "public" else f"{schema}.localhost"
    visitor = Client(headers={"host": host}, raise_request_exception=False)
    for address in addresses():
        visitor.cookies.clear()  # each address is met by somebody new
        visitor.get(address)
        visitor.post(address, {"username": "x", "password": "y", "email": "a@b.example"})
    if schema == "acme":
        visitor = Client(headers={"host": host})
        begun = visitor.get("/sign-in/work/")
        assert begun.status_code == 302
        state = dict(parse_qsl(urlsplit(begun["Location"]).query))["state"]
        assert visitor.get("/sign-in/callback/", {"state": state, "error": "access_denied"}).status_code == 403
    with schema_context(schema):
        assert Session.objects.count() == 0
