"""What a refused request costs: every route of the APIs, with the largest bodies that it takes, as nobody and as a viewer.

The routes come from the URL tables. A request is made straight to the application, without a server or a test
client that would copy its body. CPU is this process's own, so that a busy machine makes little difference; memory is how
far the process grew while it answered, libraries in C too. What seems too much is measured again. What is answered and not
refused is another matter: it may cost what it is worth.
"""

import io
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections

from apps.tenants.models import Tenant
from config.routes import Route, all_routes
from maestro import frugal, limits
from tests.isolation.test_roles import METHODS, address

CPU_SECONDS, MEMORY_BYTES = 0.25, 32 * 2**20
TRIES = 4
NAMED = (501,)
JSON = "application/json"
pytestmark = pytest.mark.slow
# Names that some route knows, so that what they hold is looked at.
KNOWN = (
    *("usages", "runs", "experiments", "columns", "tags", "files", "artifacts", "drop_tags", "scopes", "labels"),
    *("experiment_ids", "run_ids", "trace_ids", "order_by", "metrics", "params", "models", "datasets", "records"),
    *("name", "filter", "username", "password", "refresh", "token", "run_id", "state", "dataset_facts"),
)


@dataclass(frozen=True)
class Caller:
    """Who asks: what goes into the request's headers."""

    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Cost:
    """What one request cost, and how it was answered."""

    status: int
    cpu_seconds: float
    memory_bytes: int

    def is_refusal(self) -> bool:
        """Say whether it was refused; a page sends who may not see it to the sign-in."""
        return self.status >= 300

    def is_too_much(self) -> bool:
        """Say whether a refusal may not cost so much, or is a fault of ours."""
        is_fault = self.status >= 500 and self.status not in NAMED
        return self.is_refusal() and (is_fault or self.cpu_seconds > CPU_SECONDS or self.memory_bytes > MEMORY_BYTES)


class Application:
    """The whole application, asked as a server asks it."""

    def __init__(self) -> None:
        self.application: Any = WSGIHandler()
        # A test's transaction lives in this very session, so nobody ends it between requests.
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)

    def ask(self, method: str, path: str, body: bytes, kind: str, caller: Caller) -> int:
        """Make one request, read its answer, and tell its status."""
        plain, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": plain,
            "QUERY_STRING": query,
            "SERVER_NAME": "acme.localhost",
            "SERVER_PORT": "80",
            "HTTP_HOST": "acme.localhost",
            "REMOTE_ADDR": "127.0.0.1",
            "CONTENT_TYPE": kind,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.url_scheme": "http",
            "wsgi.version": (1, 0),
            "wsgi.multithread": True,
            "wsgi.multiprocess": True,
            "wsgi.run_once": False,
        } | caller.headers
        told: list[int] = []
        answer = self.application(environ, lambda status, headers: told.append(int(status.split()[0])))
        for _ in answer:
            pass
        answer.close()
        return told[0]

    def cost(self, *asked: Any) -> Cost:
        """Measure one request."""
        frugal.Tidying().give_back()
        Path("/proc/self/clear_refs").write_text("5")  # what the process held at most is counted from here
        before, begin = held("VmRSS"), time.process_time()
        status = self.ask(*asked)
        return Cost(status, time.process_time() - begin, held("VmHWM") - before)

    def measured(self, *asked: Any) -> Cost:
        """Measure, and again while it seems too much."""
        for _ in range(TRIES):
            found = self.cost(*asked)
            if not found.is_too_much():
                break
        return found


def held(name: str) -> int:
    """Read what this process holds now (VmRSS) or held at most (VmHWM), in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


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


def sweep(asked: Iterator[Any], caller: Caller) -> tuple[Counter[int], list[str]]:
    """Try everything; count the answers by status and name what costs too much."""
    application, statuses, faults = Application(), Counter[int](), []
    for method, path, body, kind, name in asked:
        found = application.measured(method, path, body, kind, caller)
        statuses[found.status] += 1
        if found.is_too_much():
            cost = f"{found.cpu_seconds * 1000:.0f} ms, {found.memory_bytes / 2**20:.0f} MB"
            faults.append(f"{method} {path[:80]} with {name}: {found.status}, {cost}")
    return statuses, faults


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
    fields = {f"f{n:06}": [1, 2, 3, 4] for n in range(30_000)} | {"max_results": "none", "z": "😀" * 3_500_000}
    body = json.dumps(fields, ensure_ascii=False).encode()
    found = Application().measured("POST", path, body, JSON, a_viewer(acme, key_for))
    assert found.status == 400
    assert found.is_too_much()
