"""Measures what one request costs the application.

A request is made straight to it, without a server or a test client that would copy its body. CPU is this process's own, so
that a busy machine makes little difference; memory is how far the process grew while it answered, libraries in C too. What
seems too much is measured again. What is answered and not refused is another matter: it may cost what it is worth.
"""

import gc
import io
import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.test import Client

from maestro import frugal

CPU_SECONDS, MEMORY_BYTES = 0.25, 32 * 2**20
TRIES = 4
NAMED = (501,)
CSRF = "c" * 32


@dataclass(frozen=True)
class Caller:
    """Who asks: what goes into the request's headers."""

    headers: dict[str, str] = field(default_factory=dict)
    host: str = "acme.localhost"


def signed_in(person: User, host: str) -> Caller:
    """A browser of a person, that shows the token of its forms."""
    client = Client(headers={"host": host})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    cookies = f"{settings.SESSION_COOKIE_NAME}={session}; {settings.CSRF_COOKIE_NAME}={CSRF}"
    return Caller({"HTTP_COOKIE": cookies, "HTTP_X_CSRFTOKEN": CSRF}, host)


@dataclass(frozen=True)
class Cost:
    """What one request cost, and how it was answered."""

    status: int
    cpu_seconds: float
    memory_bytes: int

    def is_refusal(self) -> bool:
        """Say whether it was refused; a page sends who may not see it to the sign-in."""
        return self.status >= 300

    def is_too_much(self, *, whatever: bool = False) -> bool:
        """Say whether a refusal, or whatever is answered, may not cost so much, or is a fault of ours."""
        is_fault = self.status >= 500 and self.status not in NAMED
        return (whatever or self.is_refusal()) and (
            is_fault or self.cpu_seconds > CPU_SECONDS or self.memory_bytes > MEMORY_BYTES
        )


class Application:
    """The whole application, asked as a server asks it."""

    def __init__(self) -> None:
        self.application: Any = WSGIHandler()

    def ask(self, method: str, path: str, body: bytes, kind: str, caller: Caller) -> int:
        """Make one request, read its answer, and tell its status."""
        # A test's transaction lives in this very session, so nobody ends it between requests; a test client would let it.
        for signal in (request_started, request_finished):
            signal.disconnect(close_old_connections)
        plain, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": plain.encode().decode("latin-1"),
            "QUERY_STRING": query,
            "SERVER_NAME": caller.host,
            "SERVER_PORT": "80",
            "HTTP_HOST": caller.host,
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

    def measured(self, *asked: Any, whatever: bool = False) -> Cost:
        """Measure, and again while it seems too much."""
        for _ in range(TRIES):
            found = self.cost(*asked)
            if not found.is_too_much(whatever=whatever):
                break
        return found


def held(name: str) -> int:
    """Read what this process holds now (VmRSS) or held at most (VmHWM), in bytes."""
    found = re.search(rf"{name}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


def sweep(asked: Iterable[Any], caller: Caller, *, is_senseless: bool = False) -> tuple[Counter[int], list[str]]:
    """Try everything; count the answers by status and name what costs too much.

    Where what is posted makes no sense, whatever is answered is a refusal, such as the form again with what is wrong.
    """
    application, statuses, faults = Application(), Counter[int](), []
    gc.collect()
    gc.freeze()  # what the tests hold is not looked through again before each request
    for method, path, body, kind, name in asked:
        whatever = is_senseless and method == "POST"
        found = application.measured(method, path, body, kind, caller, whatever=whatever)
        statuses[found.status] += 1
        if found.is_too_much(whatever=whatever):
            cost = f"{found.cpu_seconds * 1000:.0f} ms, {found.memory_bytes / 2**20:.0f} MB"
            faults.append(f"{method} {path[:80]} with {name}: {found.status}, {cost}")
    gc.unfreeze()
    return statuses, faults
