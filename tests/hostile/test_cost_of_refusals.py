"""What a refused request costs: every route of the APIs, with the largest bodies that it takes, as nobody and as a viewer.

The routes come from the URL tables; pages have a sweep of their own.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

import pytest

from apps.tenants.models import Tenant
from config.routes import Route, all_routes
from maestro import limits
from tests.hostile.costs import Application, Caller, sweep
from tests.isolation.test_roles import METHODS, address

JSON = "application/json"
pytestmark = pytest.mark.slow
# Names that some route knows, so that what they hold is looked at.
KNOWN = (
    *("usages", "runs", "experiments", "columns", "tags", "files", "artifacts", "drop_tags", "scopes", "labels"),
    *("experiment_ids", "run_ids", "trace_ids", "order_by", "metrics", "params", "models", "datasets", "records"),
    *("name", "filter", "username", "password", "refresh", "token", "run_id", "state", "dataset_facts"),
)


def sized(most: int, make: Callable[[int], Any], item: int) -> bytes:
    """Write the largest document of a kind that fits."""
    return json.dumps(make(most // item)).encode()[:most]


def bodies(most: int) -> dict[str, bytes]:
    """Documents just as large as they may be, each of another kind."""
    each = most // len(KNOWN)
    return {
        "unknown fields": sized(most - 10, lambda n: {f"f{k:06}": 1 for k in range(n)}, 14),
        "known fields of lists": sized(most, lambda n: dict.fromkeys(KNOWN, [{"a": 1}] * (n // len(KNOWN))), 11),
        "known fields of numbers": sized(most, lambda n: dict.fromkeys(KNOWN, [1] * (n // len(KNOWN))), 4),
        "known fields of text": json.dumps(dict.fromkeys(KNOWN, "é" * ((each - 40) // 6))).encode(),
        "known fields of objects": sized(
            most, lambda n: {key: {f"k{k}": {} for k in range(n // len(KNOWN))} for key in KNOWN}, 16
        ),
        "bad text": json.dumps({key: [["\x00"] * (each // 12)] for key in KNOWN}).encode(),
        "depth": b'{"name":' * (most // 8),
        "brackets": b"[" * most,
        "quotes": b'"' * most,
        "a number": b"1" * most,
        "commas": b"[" + b"," * (most - 2) + b"]",
    }


def whole(body: bytes) -> bool:
    """Say whether a document was not cut, so that it is read to its end."""
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


BODIES = {size: bodies(size) for size in (limits.OPEN_BODY_BYTES, limits.ASKING_BODY_BYTES)}
LARGEST = (b"{" + b'"f":[1,1,1,1],' * (limits.JSON_BODY_BYTES // 14)).ljust(limits.JSON_BODY_BYTES)
LONG = urlencode({"q": "x" * 4_000, "filter": "a = 1 AND " * 300, "path": "a/" * 2_000})[: limits.QUERY_STRING_BYTES]


def needed(route: Route, method: str) -> str | None:
    """Look up which role a route demands; None for an open one."""
    declared = getattr(route.view, "required_role", None)
    return declared.get(method, "admin") if isinstance(declared, Mapping) else declared


def api_calls(roles: tuple[str | None, ...]) -> Iterator[Any]:
    """Every call of the APIs, MLflow's once. To a route that is open to who has one of these roles all kinds of bodies are
    sent; elsewhere a body is not to be read at all, so that the largest shows what there is to show.
    """
    yield "POST", "/api/2.0/mlflow/nothing-of-this-kind", LARGEST, JSON, "the largest body"
    # Last of all, a key ends itself.
    for route in sorted(all_routes(), key=lambda one: ("keys/self" in one.pattern, one.pattern.endswith("self/"))):
        if route.guarded_by_admin or route.pattern.startswith("ajax-api/") or "(?" in route.pattern:
            continue
        path = address(route.pattern)
        for method in (one for one in METHODS if hasattr(route.view, one.lower())):
            if method == "GET":
                yield method, f"{path}?{LONG}", b"", JSON, "a long query"
                continue
            yield method, path, LARGEST, JSON, "the largest body"
            role = needed(route, method)
            most = limits.OPEN_BODY_BYTES if role is None else limits.ASKING_BODY_BYTES
            for name, body in BODIES[most].items() if role in roles else ():
                yield method, path, body, JSON, name


def a_viewer(tenant: Tenant, key_for: Callable[..., str]) -> Caller:
    return Caller({"HTTP_AUTHORIZATION": f"Bearer {key_for(tenant, 'viewer')}"})


def test_what_is_sent_is_as_large_as_it_may_be_and_not_cut() -> None:
    for size, made in BODIES.items():
        assert all(size * 0.7 < len(body) <= size for body in made.values()), {k: len(b) for k, b in made.items()}
        assert whole(made["unknown fields"])
    assert len(LARGEST) == limits.JSON_BODY_BYTES


@pytest.mark.parametrize("who", ["nobody", "viewer"])
def test_no_refused_call_costs_much(acme: Tenant, key_for: Callable[..., str], who: str) -> None:
    nobody = who == "nobody"
    calls = api_calls((None,) if nobody else (None, "viewer"))
    statuses, faults = sweep(calls, Caller() if nobody else a_viewer(acme, key_for))
    assert faults == []
    assert statuses.total() > (250 if nobody else 350)
    expected = {400, 401, 413} if nobody else {400, 403, 404, 413}
    assert all(statuses[one] > 4 for one in expected), statuses


@pytest.mark.parametrize(
    ("bound", "path"),
    [("OPEN_BODY_BYTES", "/api/v1/auth/token/"), ("ASKING_BODY_BYTES", "/api/2.0/mlflow/runs/search")],
)
def test_without_its_bound_a_body_costs_too_much(
    acme: Tenant, key_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch, bound: str, path: str
) -> None:
    monkeypatch.setattr(limits, bound, limits.JSON_BODY_BYTES)
    fields = {f"f{n:06}": [1, 2, 3, 4] for n in range(9_000)} | {"max_results": "none", "z": "😀" * 3_500_000}
    body = json.dumps(fields, ensure_ascii=False).encode()
    found = Application().measured("POST", path, body, JSON, a_viewer(acme, key_for))
    assert found.status == 400
    assert found.is_too_much()
