"""No odd id in an address, and no odd filter of a list, makes a page or a door fail: a fault of the caller is a 4xx."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urlencode

import pytest
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.test import Client
from django.urls import get_resolver
from django.utils import timezone

from apps.tenants.access.models import ApiKey
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config.routes import walk
from maestro.admin.sites import tenant_site
from tests.hostile.costs import Application, signed_in
from tests.isolation.test_roles import METHODS

ODD = ("-0", "9" * 30, "٣", "a'b", "x")
LOOKUPS = ("", "__gt", "__contains")
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>|\(\?P<\w+>[^)]*\)")
ROOT = Path(__file__).resolve().parents[2]
DIGITS = re.compile(r"\.is(digit|decimal|numeric)\(\)")
# 501 says that a call of the original is not here; no id in it matters.
FAULTS_OF_OURS = {500, *range(502, 600)}


def status(client: Client, path: str, *, method: str = "GET") -> int:
    """Ask an address; what fails inside counts as 500. A savepoint, as a failed statement ends a transaction."""
    with transaction.atomic():
        point = transaction.savepoint()
        try:
            code = client.generic(method, path, b"{}", "application/json").status_code
        except Exception:  # noqa: BLE001 whatever it is, a browser would have got 500
            code = 500
        transaction.savepoint_rollback(point)
    return code


class Browser:
    """A superuser who looks at pages. A test client would keep all that each template was given."""

    def __init__(self, host: str) -> None:
        self.caller = signed_in(User.objects.create_superuser(f"boss-{host}", password=None), host)
        self.application = Application()

    def status(self, path: str, data: dict[str, str] | None = None) -> int:
        """Ask for a page."""
        with transaction.atomic():
            point = transaction.savepoint()
            address = f"{unquote(path)}?{urlencode(data or {})}"
            code = self.application.ask("GET", address, b"", "", self.caller)
            transaction.savepoint_rollback(point)
        return code


def filled(pattern: str, odd: str) -> str:
    return "/" + PLACE.sub(odd, pattern).removesuffix("$")


@pytest.fixture
def pages(acme: Tenant) -> Browser:
    return Browser("acme.localhost")


def test_no_odd_id_in_an_address_of_a_page_fails(pages: Browser) -> None:
    known = {
        route.pattern for route in walk(get_resolver("config.urls")) if "<" in route.pattern and route.guarded_by_admin
    }
    assert len(known) > 60
    failed = [(page, odd) for page in sorted(known) for odd in ODD if pages.status(filled(page, odd)) >= 500]
    assert failed == []


def test_no_odd_id_in_an_address_of_an_api_fails(acme: Tenant, api: Callable[..., Client]) -> None:
    client = api(acme, "admin")
    routes = {r.pattern: r for r in walk(get_resolver("config.urls")) if "<" in r.pattern and not r.guarded_by_admin}
    calls = [(method, route) for route in sorted(routes) for method in METHODS if knows(routes[route].view, method)]
    assert len(calls) > 110
    failed = [
        (method, route, odd)
        for method, route in calls
        for odd in ODD
        if status(client, filled(route, odd), method=method) in FAULTS_OF_OURS
    ]
    assert failed == []


@pytest.mark.parametrize("method", ["OPTIONS", "HEAD", "TRACE", "FOO"])
def test_no_odd_method_fails(acme: Tenant, api: Callable[..., Client], method: str) -> None:
    client = api(acme, "admin")
    routes = sorted({r.pattern for r in walk(get_resolver("config.urls")) if not r.guarded_by_admin})
    told = {route: status(client, filled(route, "x"), method=method) for route in routes if "(?" not in route}
    assert {route: code for route, code in told.items() if code in FAULTS_OF_OURS} == {}
    if method != "HEAD":
        answered = {route for route, code in told.items() if code == 200 and route.startswith("api/v1/")}
        assert answered == set(), "a method that says nothing of its own is none"


def knows(view: Any, method: str) -> bool:
    """Say whether a view answers a method itself; a plain function may answer any."""
    return not isinstance(view, type) or hasattr(view, method.lower())


@pytest.mark.parametrize("odd", ["-0", "+0", " 0", "0.0", "٠", "0" * 30])
def test_only_its_number_names_an_experiment(
    acme: Tenant, api: Callable[..., Client], pages: Browser, odd: str
) -> None:
    client, mlflow = api(acme, "admin"), "/api/2.0/mlflow"
    # Each of them finds the first experiment by its number.
    for named, found in (("0", True), (odd, False)):
        told = {
            client.get(f"{mlflow}/experiments/get", {"experiment_id": named}).status_code,
            client.get(f"/api/v1/experiments/{quote(named)}/").status_code,
            pages.status(f"/admin/tracking/experiment/{quote(named)}/change/"),
        }
        assert told <= ({200, 302} if found else {400, 404}), (named, told)
        searched = client.post(f"{mlflow}/runs/create", {"experiment_id": named}, content_type="application/json")
        assert (searched.status_code == 200) is found, searched.content


def test_no_id_of_a_content_type_leads_anywhere(pages: Browser) -> None:
    for kind in [*ContentType.objects.values_list("pk", flat=True), *ODD]:
        for odd in ODD:
            assert pages.status(f"/admin/r/{kind}/{odd}/") == 404, (kind, odd)


def fields_of(page: ModelAdmin[Any]) -> Iterator[str]:
    """Name what a list could be filtered by: each column, and those one step away."""
    for field in page.model._meta.get_fields():
        yield field.name
        meta = getattr(field.related_model, "_meta", None)
        if meta is not None:
            yield from (f"{field.name}__{other.name}" for other in meta.get_fields())


@pytest.mark.parametrize("model", sorted(tenant_site._registry, key=str), ids=str)
def test_no_odd_filter_of_a_list_fails(pages: Browser, model: Any) -> None:
    meta = model._meta
    list_of = f"/admin/{meta.app_label}/{meta.model_name}/"
    failed = []
    for field in fields_of(tenant_site._registry[model]):
        for lookup in LOOKUPS if "__" not in field else LOOKUPS[:1]:
            told = pages.status(list_of, {field + lookup: "x"})
            if told >= 500:
                failed.append((field, lookup))
            if told == 400:
                break  # what may not be asked at all is refused before its lookup is read
    assert failed == []


def test_a_secret_is_no_filter(pages: Browser) -> None:
    """A list that could be narrowed by the start of a digest would tell it letter by letter."""
    ApiKey.objects.issue(slug="acme", name="x", role="viewer", at=timezone.now())
    for lookup in ("", "__gt", "__startswith", "__isnull"):
        assert pages.status("/admin/access/apikey/", {f"digest{lookup}": "x"}) == 400


@pytest.mark.parametrize("folder", ["apps", "maestro"])
def test_a_number_is_read_from_ascii_digits_alone(folder: str) -> None:
    """Else other scripts' digits are a second name of the same thing, and some, as `²`, are digits that int() refuses."""
    sources = [path for path in (ROOT / folder).rglob("*.py") if "embedded" not in path.parts]
    lines = [(str(path.relative_to(ROOT)), line) for path in sources for line in path.read_text().splitlines()]
    asked = [(path, line.strip()) for path, line in lines if DIGITS.search(line)]
    assert len(asked) > 3
    assert [one for one in asked if ".isascii()" not in one[1] or ".isdigit()" in one[1]] == []


def test_what_polls_takes_no_odd_time(pages: Browser) -> None:
    project = Project.objects.create(slug="p", name="p")
    for since in ("²", "٣", "-1", "9" * 40):
        assert pages.status(f"/admin/impact/forecast-of/{project.pk}/state/", {"since": since}) == 200
