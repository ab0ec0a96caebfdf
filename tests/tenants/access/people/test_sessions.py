"""Where somebody is signed in: their own browsers and programs, each with an end, and nobody else's."""

import re

from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from django_tenants.utils import schema_context

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant

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
    return re.findall(r'name="end" value="([^"]+)"', client.get(PAGE).content.decode())


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
