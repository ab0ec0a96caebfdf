"""What a refused page costs: every page of both sites, with the largest forms that it takes.

As nobody, as a viewer, and as somebody who may do everything, with forms that make no sense. Of pages of one kind, such as
those of tables that are only looked at, one is tried; what costs the same on every page is tried on one.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group, User
from django.urls import get_resolver

from apps.tenants.models import Tenant
from config.routes import Route, walk
from maestro import limits
from maestro.admin import forms
from maestro.database.session import connection
from tests.auditing.test_every_admin_page import ROWS
from tests.hostile.costs import Application, Caller, signed_in, sweep
from tests.isolation.test_roles import address

SITES = [("config.urls", "acme.localhost"), ("config.urls_public", "localhost")]
FOR_MACHINES = ("api/", "ajax-api/", "v1/", "ci/", "^(?:ajax-")
pytestmark = pytest.mark.slow
PLAIN, IN_PARTS = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
# Names that some form knows beside its model's fields, so that what they hold is looked at.
KNOWN = (
    *(
        "username",
        "password",
        "old_password",
        "new_password1",
        "new_password2",
        "email",
        "code",
        "next",
        "end",
        "leave",
    ),
    *(
        "action",
        "_selected_action",
        "name",
        "slug",
        "description",
        "card",
        "query",
        "view",
        "run",
        "c",
        "q",
        "do",
        "which",
    ),
    *(
        "key",
        "value",
        "drop",
        "to",
        "problem_class",
        "complexity",
        "dataset_facts",
        "labels",
        "artifacts",
        "planned_cost",
    ),
    *("starts_at_0", "starts_at_1", "groups", "user_permissions", "client_secret", "issuer", "project", "experiment"),
    *("csrfmiddlewaretoken", "_popup", "_to_field", "status", "sort", "trash_days", "keep_days", "first_name"),
)
FORMSETS = ("members", "project_roles", "projectrole_set", "factors", "domains")


# What a field may hold that some code might take long over.
VALUES = {
    "escapes": "%F0%9F%98%80",
    "quotes": '"',
    "digits": "7",
    "brackets": "[",
    "objects": '{"a":',
    "controls": "%00",
}
ONE_KIND = " in all that is known"


def shared(values: tuple[str, ...], most: int) -> bytes:
    """Every known field, with its part of what fits, one value after the other."""
    each = most // len(KNOWN) - 30
    turns = zip(KNOWN, cycle(values), strict=False)
    return "&".join(f"{name}={value * (each // len(value))}" for name, value in turns).encode()


def many(names: tuple[str, ...], value: str, most: int) -> bytes:
    """As many fields as are taken, and the last as long as fits."""
    some = [f"{name}={value}" for name, _ in zip(cycle(names), range(990), strict=False)]
    return f"{'&'.join(some)}&z=".encode().ljust(most, b"x")


def plain_forms(most: int) -> dict[str, bytes]:
    """Forms as large as they may be, each of another kind."""
    return {
        "escapes": b"note=" + b"%41" * ((most - 5) // 3),
        **{f"{name}{ONE_KIND}": shared((value,), most) for name, value in VALUES.items()},
        "more fields than are taken": b"a=&" * (most // 3),
        "ids that are none, of fields that are known": many(
            ("run", "_selected_action", "c", "groups", "artifacts"), "0" * 32, most
        ),
        "numbers without end in what is known": many(
            ("run", "_selected_action", "groups", "user_permissions"), "9" * 40, most
        ),
        "known rows without end": f"{ROWS_WITHOUT_END}&z=".encode().ljust(most, b"x"),
    }


ENDS = ("TOTAL_FORMS=1000", "INITIAL_FORMS=0", "MIN_NUM_FORMS=0", "MAX_NUM_FORMS=1000")
ROWS_WITHOUT_END = "&".join(f"{name}-{end}" for name in FORMSETS for end in ENDS)
HEAD = b'--b\r\nContent-Disposition: form-data; name="'


def part(name: str, value: bytes, more: bytes = b"") -> bytes:
    return HEAD + name.encode() + b'"' + more + b"\r\n\r\n" + value + b"\r\n"


def forms_in_parts(most: int) -> dict[str, bytes]:
    """The same in parts, with what only parts can be."""
    end, each = b"--b--\r\n", most // len(KNOWN) - 80
    many_parts = b"".join(part("run", b"0" * (most // 900 - 60)) for _ in range(900))
    base64 = b"\r\nContent-Transfer-Encoding: base64"
    file = b'; filename="a.bin"'
    return {
        "many parts": many_parts + end,
        "a large part": part("note", b"\xf0\x9f\x98\x80" * ((most - 100) // 4)) + end,
        "quotes in parts that are known": b"".join(part(name, b'"' * each) for name in KNOWN) + end,
        "more parts than are taken": part("a", b"") * (most // len(part("a", b""))) + end,
        "parts without a name": b"--b\r\n\r\n\r\n" * (most // 9 - 1) + end,
        "a file": part("file", b"x" * (most - 200), file) + end,
        "files": part("file", b"x" * (most // 90 - 90), file) * 90 + end,
        "spaces as base64": part("note", b" " * (most - 200), base64) + end,
        "no end": part("note", b"\r\n--" * (most // 5)),
        "a header without end": HEAD + b"x" * (most - 100),
        "no boundary": b"x" * most,
    }


LARGE, LARGE_IN_PARTS = plain_forms(limits.FORM_BYTES), forms_in_parts(limits.PAGE_BODY_BYTES)
TOO_LARGE = [(PLAIN, LARGE["escapes"]), (IN_PARTS, LARGE_IN_PARTS["many parts"])]
QUERY = urlencode({"q": "a " * 900, "_changelist_filters": "x" * 2_000, "o": "1." * 2_000, "p": "9" * 40, "run": "z"})


@dataclass(frozen=True)
class Page:
    """A page of a site, at the address of a thing that is there, if its table has one."""

    path: str
    is_form: bool


def things() -> dict[str, str]:
    """One of each table whose rows people change, by the beginning of its pages' addresses."""
    return {f"admin/{m._meta.app_label}/{m._meta.model_name}/": str(make().pk) for m, (make, _) in ROWS.items()}


def order(route: Route) -> tuple[bool, bool]:
    """A deletion comes late, and what ends the session last of all."""
    ends = ("sign-ins/", "logout/", "sign-out/")
    return route.pattern.endswith(ends), route.pattern.endswith("/delete/")


def pages(urlconf: str, there: dict[str, str]) -> Iterator[Page]:
    """Every page of a kind of host; of tables that are only looked at, one for each view that serves them."""
    routes = {one.pattern: one for one in walk(get_resolver(urlconf))}.values()
    served = set[str]()
    for route in sorted(routes, key=order):
        if route.pattern.startswith(FOR_MACHINES):
            continue
        pattern = re.sub(r"\^\(\?P<app_label>(\w+)[^)]*\)/\$", r"\1/", route.pattern).replace("(?P<url>.*)$", "nothing")
        at = next((one for one in there if pattern.startswith(one)), "")
        name = f"{route.view.__module__}.{route.view.__qualname__}"
        if not at and name.startswith("django.contrib.admin.options") and name in served:
            continue
        served.add(name)
        pattern = re.sub("<[^>]+>", there[at], pattern) if at else pattern
        yield Page(address(pattern), not pattern.endswith(("/history/", "/delete/", "/state/", "nothing", "jsi18n/")))


def dearest(bodies: dict[str, bytes]) -> dict[str, bytes]:
    """The first of them."""
    return dict(list(bodies.items())[:1])


def asked(found: Iterable[Page], *kinds: tuple[str, dict[str, bytes]]) -> Iterator[Any]:
    """Every request of a sweep: forms that speak of what is known go where there is a form, the first of a kind everywhere."""
    for page in found:
        yield "GET", f"{page.path}?{QUERY}", b"", PLAIN, "a long query"
        for kind, bodies in kinds:
            for name, body in (bodies if page.is_form else dearest(bodies)).items():
                yield "POST", page.path, body, kind, name


def knowing() -> Iterator[tuple[str, dict[str, bytes]]]:
    """What speaks of fields that some form knows: to read a form costs the same on every page.

    Instead of forms whose fields all hold one kind of value there are two that have all kinds; a field is as long in them.
    """
    kinds = (*VALUES.values(),)
    mixed = {f"kinds from {n}": shared((*kinds[n:], *kinds[:n]), limits.FORM_BYTES) for n in (0, 3)}
    yield PLAIN, mixed | {name: body for name, body in LARGE.items() if "known" in name and not name.endswith(ONE_KIND)}
    yield IN_PARTS, {name: body for name, body in LARGE_IN_PARTS.items() if "known" in name}


def test_what_is_sent_is_as_large_as_it_may_be() -> None:
    for size, made in ((limits.FORM_BYTES, LARGE), (limits.PAGE_BODY_BYTES, LARGE_IN_PARTS)):
        assert all(size * 0.7 < len(body) <= size for body in made.values()), {k: len(b) for k, b in made.items()}


@pytest.mark.parametrize(("urlconf", "host"), SITES)
def test_no_page_costs_a_stranger_much(acme: Tenant, urlconf: str, host: str) -> None:
    small, found = limits.OPEN_BODY_BYTES, list(pages(urlconf, {}))
    calls = [*asked(found, (PLAIN, dearest(plain_forms(small))), (IN_PARTS, dearest(forms_in_parts(small))))]
    calls += [*asked([Page("/admin/login/", True)], (PLAIN, plain_forms(small)), (IN_PARTS, forms_in_parts(small)))]
    calls += [("POST", page.path, body, kind, "too large") for page in found for kind, body in TOO_LARGE]
    statuses, faults = sweep(calls, Caller(host=host), is_senseless=True)
    assert faults == []
    assert all(statuses[one] > 4 for one in (302, 403, 413)), statuses


@pytest.mark.parametrize("who", ["viewer", "admin"])
@pytest.mark.parametrize(("urlconf", "host"), SITES)
def test_no_refused_page_costs_much(acme: Tenant, who: str, urlconf: str, host: str) -> None:
    there = things() if urlconf == SITES[0][0] else {}
    if not there:
        connection.set_schema_to_public()
    person = User.objects.create_user("somebody", is_staff=True, is_superuser=who == "admin")
    person.groups.add(*Group.objects.filter(name=who))
    found = list(pages(urlconf, there))
    calls = [*asked([Page("/admin/password_change/", True)], (PLAIN, LARGE), (IN_PARTS, LARGE_IN_PARTS))]
    dear = [(PLAIN, dearest(LARGE)), (IN_PARTS, dearest(LARGE_IN_PARTS))]
    calls += [*asked(found, *(knowing() if who == "admin" else dear))]
    statuses, faults = sweep(calls, signed_in(person, host), is_senseless=True)
    assert faults == []
    assert all(statuses[one] > 4 for one in (200, 302, 400, 403, 404)), statuses


def test_without_its_bound_a_form_costs_too_much(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = signed_in(User.objects.create_superuser("boss", password="x"), "acme.localhost")
    monkeypatch.setattr(limits, "FORM_BYTES", limits.PAGE_BODY_BYTES)
    body = plain_forms(limits.PAGE_BODY_BYTES)["escapes"]
    found = Application().measured("POST", "/admin/password_change/", body, PLAIN, caller, whatever=True)
    assert found.is_too_much(whatever=True)


def test_without_its_bound_rows_below_a_form_cost_too_much(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    caller = signed_in(User.objects.create_superuser("boss", password="x"), "acme.localhost")
    path, body = "/admin/tracking/project/add/", f"{ROWS_WITHOUT_END}&name=x".encode()
    assert not Application().measured("POST", path, body, PLAIN, caller, whatever=True).is_too_much(whatever=True)
    monkeypatch.setattr(forms, "MORE_ROWS", 400)
    found = Application().measured("POST", path, body, PLAIN, caller, whatever=True)
    assert found.is_too_much(whatever=True)
