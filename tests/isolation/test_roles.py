"""Every route of both hosts, against every role: made from the URL table itself, so that no route can be forgotten."""

import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from apps.tenants.models import Tenant
from config.management.commands.show_roles import page
from config.routes import Route, all_routes
from maestro.mlflow.errors import is_mlflow_path
from maestro.principals import RANK, ROLES

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SAMPLES = {"uuid": str(uuid.UUID(int=7)), "int": "1", "path": "a/b.txt", "str": "nothing-here", "slug": "nothing-here"}


def address(pattern: str) -> str:
    """Fill a pattern in with things that are not there."""
    return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda m: SAMPLES[m[1] or "str"], pattern)


def demands(route: Route) -> Iterator[tuple[str, str]]:
    """List (method, role) of a route."""
    declared = route.view.required_role
    for method in METHODS:
        if not hasattr(route.view, method.lower()):
            continue
        needed = declared.get(method) if isinstance(declared, Mapping) else declared
        if needed is not None:
            yield method, needed


def cases() -> list[tuple[str, str, str]]:
    """List (method, pattern, role) of every guarded route, each once."""
    guarded = [route for route in all_routes() if route.declared and not route.guarded_by_admin]
    return sorted({(method, route.pattern, role) for route in guarded for method, role in demands(route)})


CASES = cases()
named = pytest.mark.parametrize(("method", "pattern", "role"), CASES, ids=[f"{m} {p}" for m, p, _ in CASES])


def call(client: Client, method: str, pattern: str) -> Any:
    return client.generic(method, address(pattern), b"{}" if method != "GET" else b"", content_type="application/json")


def in_words_of_its_door(answer: Any, pattern: str) -> bool:
    """Say whether a refusal is JSON of the right door."""
    body = answer.json()
    return "error_code" in body if is_mlflow_path(f"/{pattern}") else body.get("status") == answer.status_code


def test_there_are_routes_to_test() -> None:
    assert len(CASES) > 60
    assert {role for _, _, role in CASES} >= {"viewer", "contributor", "admin"}


@named
def test_without_a_key_it_is_401(acme: Tenant, method: str, pattern: str, role: str) -> None:
    for host in ("acme.localhost", "localhost"):
        answer = call(Client(headers={"host": host}), method, pattern)
        assert answer.status_code == 401
        assert in_words_of_its_door(answer, pattern)


@named
def test_a_key_of_the_other_tenant_is_401(
    acme: Tenant, globex: Tenant, key_for: Callable[..., str], method: str, pattern: str, role: str
) -> None:
    theirs = key_for(globex, "admin")
    client = Client(headers={"host": "acme.localhost", "authorization": f"Bearer {theirs}"})
    assert call(client, method, pattern).status_code == 401


@named
def test_a_lower_role_is_403_and_the_named_one_is_let_in(
    acme: Tenant, api: Callable[..., Client], method: str, pattern: str, role: str
) -> None:
    for lower in ROLES[: RANK[role]]:
        answer = call(api(acme, lower), method, pattern)
        assert answer.status_code == 403, (lower, answer.content)
        assert in_words_of_its_door(answer, pattern)
    allowed = call(api(acme, role), method, pattern)
    assert allowed.status_code not in {401, 403}, allowed.content
    assert allowed.status_code < 500 or allowed.status_code == 501, allowed.content


@named
def test_a_session_cookie_opens_no_api(
    acme: Tenant, django_user_model: Any, method: str, pattern: str, role: str
) -> None:
    person = django_user_model.objects.create_superuser("boss", password="x")
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person)
    assert call(client, method, pattern).status_code == 401


def test_the_page_of_roles_is_current() -> None:
    written = (Path(__file__).resolve().parents[2] / "docs" / "roles.md").read_text()
    assert written == page(), "run `manage.py show_roles > docs/roles.md`"


def test_a_method_that_a_route_does_not_have_is_405(acme: Tenant, api: Callable[..., Client]) -> None:
    client, wrong = api(acme, "admin"), []
    for route in {r.pattern: r for r in all_routes() if r.declared and not r.guarded_by_admin}.values():
        if not route.pattern.startswith("api/v1/"):
            continue
        for method in METHODS:
            if hasattr(route.view, method.lower()):
                continue
            answer = call(client, method, route.pattern)
            wrong += [] if answer.status_code == 405 else [(method, route.pattern, answer.status_code)]
    assert wrong == []


def test_the_roles_are_there_for_scripts_too(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("show_roles", output="json")
    told = json.loads(capsys.readouterr().out)
    assert told["/api/v1/publishers/"] == {"GET": "admin", "POST": "admin"}
    assert told["/api/v1/auth/exchange/"] == {"POST": None}
