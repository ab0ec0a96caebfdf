"""Closing a person ends what they hold and issued, or hands it over; opening the account again revives none."""

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.auth.tokens import default_token_generator
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from django.utils.encoding import force_bytes
from django.utils.http import urlsafe_base64_encode
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.factors.models import Session
from apps.tenants.access.keys import tokens
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey, AuditEvent
from apps.tenants.models import Tenant

V1, WHOAMI, BACKEND = "/api/v1/", "/api/v1/auth/whoami/", "apps.tenants.access.sign_in.passwords.PasswordBackend"


def person(name: str, role: str = "admin") -> User:
    made = User.objects.create_user(name, is_staff=True)
    made.groups.add(Group.objects.get(name=role))
    return made


def bearer(text: str) -> Client:
    return Client(headers={"host": "acme.localhost", "authorization": f"Bearer {text}"})


def browser(who: User, host: str = "acme.localhost") -> Client:
    client = Client(headers={"host": host})
    client.force_login(who, backend=BACKEND)
    return client


class Belongings:
    """What a person holds and issued: a browser, a program, a key, its successor, and what that made."""

    def __init__(self, who: User) -> None:
        self.browser, self.pair = browser(who), tokens.issue(who, timezone.now())
        first = self.post(self.pair.access, "keys/", {"name": "hers", "role": "admin"})
        self.keys = [first, self.post(first["key"], "keys/self/rotate/", {"overlap_hours": 0})]
        self.keys.append(self.post(self.keys[1]["key"], "keys/", {"name": "made by hers", "role": "viewer"}))

    def post(self, credential: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = bearer(credential).post(V1 + path, body, content_type="application/json")
        assert answer.status_code == 201, answer.content
        made: dict[str, Any] = answer.json()
        return made

    def renew(self) -> int:
        body = {"refresh": self.pair.refresh}
        client = Client(headers={"host": "acme.localhost"})
        return client.post(f"{V1}auth/token/refresh/", body, content_type="application/json").status_code

    def of_keys(self) -> list[int]:
        return [bearer(one["key"]).get(WHOAMI).status_code for one in self.keys]

    def of_person(self) -> list[int]:
        return [self.browser.get("/admin/").status_code, bearer(self.pair.access).get(WHOAMI).status_code]

    def are_alive(self) -> bool:
        return self.of_keys() == [401, 200, 200] and self.of_person() == [200, 200]

    def have_ended(self) -> bool:
        return self.of_keys() == [401] * 3 and self.of_person() == [302, 401] and self.renew() == 401


def by_api(who: User, boss: User) -> None:
    client = bearer(tokens.issue(boss, timezone.now()).access)
    answer = client.post(f"{V1}people/{who.username}/close/", {}, content_type="application/json")
    assert answer.status_code == 200, answer.content
    assert answer.json()["keys_ended"] == 2


def by_command(who: User, boss: User) -> None:
    call_command("close_person", tenant="acme", username=who.username, yes=True, stdout=StringIO())


def by_form(who: User, boss: User) -> None:
    form = {"username": who.username, "is_staff": "on", "groups": [g.pk for g in who.groups.all()]}
    form |= {f"project_roles-{name}": "0" for name in ("TOTAL_FORMS", "INITIAL_FORMS")}
    answer = browser(boss).post(f"/admin/auth/user/{who.pk}/change/", form)
    assert answer.status_code == 302, answer.context["errors"]


def by_action(who: User, boss: User) -> None:
    browser(boss).post("/admin/auth/user/", {"action": "close_accounts", "_selected_action": who.pk})


WAYS: dict[str, Callable[[User, User], None]] = {
    "the API": by_api,
    "the command": by_command,
    "the form": by_form,
    "the list's action": by_action,
}


@pytest.mark.parametrize("way", WAYS)
def test_closing_ends_everything_and_opening_again_revives_none(acme: Tenant, way: str) -> None:
    ada, boss, eve = person("ada"), person("boss"), person("eve")
    held, hers = Belongings(ada), Belongings(eve)
    assert held.are_alive()
    with tenant_context(acme):
        WAYS[way](ada, boss)
    with tenant_context(acme):
        assert not User.objects.get(pk=ada.pk).is_active
        assert held.have_ended()
        User.objects.filter(pk=ada.pk).update(is_active=True)
        assert held.have_ended()
        assert hers.are_alive()
        event = AuditEvent.objects.get(action="person.close")
        assert (event.after["keys_ended"], event.after["programs_ended"], event.after["browsers_ended"]) == (2, 1, 1)


@pytest.mark.parametrize("by", ["its page", "the list's action"])
def test_deleting_a_person_ends_their_keys_too(acme: Tenant, by: str) -> None:
    ada, boss = person("ada"), person("boss")
    held, here = Belongings(ada), browser(boss)
    if by == "its page":
        here.post(f"/admin/auth/user/{ada.pk}/delete/", {"post": "yes"})
    else:
        here.post("/admin/auth/user/", {"action": "delete_selected", "_selected_action": ada.pk, "post": "yes"})
    assert not User.objects.filter(pk=ada.pk).exists()
    assert held.have_ended()
    assert not Session.objects.filter(person_id=ada.pk).exists()
    assert AuditEvent.objects.filter(action="key.revoke").count() == 2


def test_erasing_a_person_ends_their_keys(acme: Tenant) -> None:
    held = Belongings(person("ada"))
    call_command("erase_person", tenant="acme", username="ada", execute=True, yes=True, stdout=StringIO())
    with tenant_context(acme):
        assert held.have_ended()


@pytest.mark.parametrize("command", ["close_person", "erase_person"])
def test_keys_go_on_with_an_heir(acme: Tenant, command: str) -> None:
    ada, grace = person("ada"), person("grace")
    held, out = Belongings(ada), StringIO()
    extra: dict[str, Any] = {"execute": True} if command == "erase_person" else {}
    call_command(
        command, tenant="acme", username="ada", hand_over_to="grace", yes=True, output="json", stdout=out, **extra
    )
    assert json.loads(out.getvalue())["keys_handed_over"] == 1
    with tenant_context(acme):
        forget_keys()
        assert held.of_keys() == [401, 200, 200]
        assert held.of_person() == [302, 401]
        assert set(ApiKey.objects.filter(person=grace).values_list("created_by", flat=True)) == {"person:grace"}
        assert AuditEvent.objects.filter(action="key.hand_over").count() == 2
        call_command("close_person", tenant="acme", username="grace", yes=True, stdout=StringIO())
    with tenant_context(acme):
        assert held.of_keys() == [401] * 3


def test_nobody_inherits_more_than_they_may(acme: Tenant) -> None:
    ada = person("ada")
    person("vic", "viewer")
    held = Belongings(ada)
    for heir in ("vic", "ada", "nobody"):
        with pytest.raises(CommandError):
            call_command("close_person", tenant="acme", username="ada", hand_over_to=heir, yes=True, stdout=StringIO())
    with tenant_context(acme):
        assert held.are_alive()
        assert not AuditEvent.objects.filter(action__in=("person.close", "key.hand_over")).exists()


def test_whom_the_api_closes_and_whom_not(acme: Tenant, api: Callable[..., Client]) -> None:
    boss, root = person("boss"), User.objects.create_superuser("root")
    client = bearer(tokens.issue(boss, timezone.now()).access)

    def ask(who: Client, name: str, **body: Any) -> int:
        return who.post(f"{V1}people/{name}/close/", body, content_type="application/json").status_code

    assert (ask(client, "root"), ask(client, "boss"), ask(client, "nobody")) == (403, 409, 404)
    person("cy")
    assert (ask(client, "cy", hand_over_to="cy"), ask(client, "cy", hand_over_to="nobody")) == (409, 404)
    assert ask(api(acme, "approver"), "cy") == 403
    assert set(User.objects.filter(is_active=True).values_list("username", flat=True)) == {"boss", "root", "cy"}
    assert root.is_active


def test_a_letter_opens_no_account_that_was_closed_since(acme: Tenant) -> None:
    ada = person("ada")
    ada.set_password("a long and silly password")
    ada.save()
    path = f"/password-reset/{urlsafe_base64_encode(force_bytes(ada.pk))}/{default_token_generator.make_token(ada)}/"
    visitor = Client(headers={"host": "acme.localhost"})
    assert visitor.get(path).status_code == 302
    User.objects.filter(pk=ada.pk).update(is_active=False)
    assert Client(headers={"host": "acme.localhost"}).get(path).status_code == 200
    new = {"new_password1": "another silly password", "new_password2": "another silly password"}
    visitor.post(path.replace(path.split("/")[-2], "set-password"), new)
    ada.refresh_from_db()
    assert ada.check_password("a long and silly password")


def test_closing_an_operator_ends_their_browsers(db: None) -> None:
    with schema_context("public"):
        root, other = User.objects.create_superuser("root"), User.objects.create_superuser("other")
        theirs, mine = browser(other, "localhost"), browser(root, "localhost")
        assert theirs.get("/admin/").status_code == 200
        mine.post("/admin/auth/user/", {"action": "close_accounts", "_selected_action": other.pk})
        User.objects.filter(pk=other.pk).update(is_active=True)
        assert mine.post(f"/admin/auth/user/{other.pk}/delete/", {"post": "yes"}).status_code == 403
        assert theirs.get("/admin/").status_code == 302
        assert not Session.objects.filter(person_id=other.pk).exists()
