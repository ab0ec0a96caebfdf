"""A drill: secret and pepper are rotated under a service, a browser and a program that go on asking."""

import http.client
import itertools
import json
import threading
import time
from collections.abc import Callable
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.tenants.access.factors.models import Authenticator
from apps.tenants.access.keys import tokens
from apps.tenants.access.sign_in import second_factor
from apps.tenants.models import Tenant
from tests.tenants.access.sign_in.rotating import (
    BACKEND,
    NEXT_PEPPER,
    NEXT_SECRET,
    PASSWORD,
    WHOAMI,
    ada,
    code_of,
    reseal,
    rotated,
    with_app,
)
from tests.web import WebServer, start_web


def surroundings(values: dict[str, str], settings: Any) -> list[dict[str, str]]:
    """Write the four steps of docs/operators.md: the next is known, then it rules, then the old is forgotten."""
    old = {"SECRET_KEY": settings.SECRET_KEY, "KEY_PEPPER": settings.KEY_PEPPER}
    new = {"SECRET_KEY": NEXT_SECRET, "KEY_PEPPER": NEXT_PEPPER}
    steps: tuple[tuple[dict[str, str], dict[str, str]], ...] = ((old, {}), (old, new), (new, old), (new, {}))
    return [
        values
        | {f"MAESTRO_{name}": value for name, value in rules.items()}
        | {f"MAESTRO_{name}_FALLBACKS": value for name, value in known.items()}
        for rules, known in steps
    ]


class Traffic:
    """A service, a person's browser and a program, each asking one server after another; what fails is kept."""

    def __init__(self, tenant: Tenant, key: str, session: str, pair: tokens.Pair) -> None:
        self.host, self.servers = f"{tenant.slug}.localhost", [0]
        self.failures: list[str] = []
        self.asked, self.over = itertools.count(), threading.Event()
        self.refresh = pair.refresh
        bearing = {"Authorization": f"Bearer {key}"}
        paths = {"service": (WHOAMI, bearing), "browser": ("/admin/", {"Cookie": f"maestro_session={session}"})}
        self.threads = [threading.Thread(target=self.go_on, args=(name, *what)) for name, what in paths.items()]
        self.threads.append(threading.Thread(target=self.go_on_renewing))

    def ask(self, port: int, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[int, bytes]:
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            link.request(method, path, body or None, headers | {"Host": f"{self.host}:{port}"})
            answer = link.getresponse()
            next(self.asked)
            return answer.status, answer.read()
        finally:
            link.close()

    def go_on(self, name: str, path: str, headers: dict[str, str]) -> None:
        for turn in itertools.count():
            if self.over.wait(0.05):
                return
            port = self.servers[turn % len(self.servers)]
            status, _ = self.ask(port, "GET", path, headers)
            if status != 200:
                self.failures.append(f"{name} was answered {status} by {port} of {self.servers}")

    def go_on_renewing(self) -> None:
        for turn in itertools.count():
            if self.over.wait(0.3):
                return
            port = self.servers[turn % len(self.servers)]
            body = json.dumps({"refresh": self.refresh})
            kind = {"Content-Type": "application/json"}
            status, text = self.ask(port, "POST", "/api/v1/auth/token/refresh/", kind, body)
            if status != 200:
                self.failures.append(f"the program was answered {status} by {port}")
                return
            pair = json.loads(text)
            self.refresh = pair["refresh"]
            seen, _ = self.ask(
                self.servers[-1 - turn % len(self.servers)],
                "GET",
                WHOAMI,
                {"Authorization": f"Bearer {pair['access']}"},
            )
            if seen != 200:
                self.failures.append(f"the program's new token was answered {seen}")


def test_both_are_rotated_while_requests_go_on(
    committed: Tenant, test_environment: dict[str, str], settings: Any, key_for: Callable[..., str]
) -> None:
    who = ada()
    secret, _ = with_app(who)
    browser = Client(headers={"host": f"{committed.slug}.localhost"})
    browser.force_login(who, backend=BACKEND)
    session = browser.session
    session[second_factor.MARK] = Authenticator.objects.get(user=who).pk
    session.save()
    traffic = Traffic(committed, key_for(committed, "viewer"), session.session_key, tokens.issue(who, timezone.now()))
    steps, running = surroundings(test_environment, settings), list[WebServer]()
    try:
        running.append(start_web(steps[0]))
        traffic.servers = [running[0].port]
        for thread in traffic.threads:
            thread.start()
        for number, values in enumerate(steps[1:], 1):
            if number == 3:
                settle(traffic, settings)
            running.append(start_web(values))
            traffic.servers = [running[-2].port, running[-1].port]
            time.sleep(2)
            traffic.servers = [running[-1].port]
            time.sleep(1)
            running[-2].stop()
        body = json.dumps({"username": "ada", "password": PASSWORD, "code": code_of(secret)})
        kind = {"Content-Type": "application/json"}
        signed_in, _ = traffic.ask(running[-1].port, "POST", "/api/v1/auth/token/", kind, body)
    finally:
        traffic.over.set()
        for thread in traffic.threads:
            thread.join(30) if thread.ident else None
        for server in running:
            server.stop()
    assert traffic.failures == []
    assert signed_in == 200
    assert next(traffic.asked) > 100


def settle(traffic: Traffic, settings: Any) -> None:
    """Seal anew, as the command does, before the old ones are forgotten."""
    with rotated(settings):
        reseal()
