"""Many threads, two tenants, one server, failures inside transactions: no row is ever foreign.

MAESTRO_SOAK_REQUESTS=100000 MAESTRO_SOAK_THREADS=64 runs it in full.
"""

import http.client
import json
import os
import random
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.patience import ANSWER_SECONDS
from tests.web import WebServer

REQUESTS = int(os.environ.get("MAESTRO_SOAK_REQUESTS", "1600"))
THREADS = int(os.environ.get("MAESTRO_SOAK_THREADS", "16"))


class Visitor(threading.Thread):
    """One client that speaks for both tenants, in turn and at random."""

    def __init__(self, number: int, port: int, keys: dict[str, str], requests: int) -> None:
        super().__init__()
        self.chance = random.Random(number)  # noqa: S311 a repeatable order, not a secret
        self.number, self.keys, self.requests = number, keys, requests
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        self.wrong: list[str] = []
        self.statuses: dict[int, int] = {}

    def run(self) -> None:
        try:
            for turn in range(self.requests):
                slug = self.chance.choice(list(self.keys))
                self.chance.choice([self.make, self.look, self.track, self.fail, self.ask])(slug, turn)
        except Exception as error:  # noqa: BLE001 a thread tells its test
            self.wrong.append(f"{type(error).__name__}: {error}")

    def call(self, slug: str, method: str, path: str, body: Any = None) -> Any:
        headers = {
            "Authorization": f"Bearer {self.keys[slug]}",
            "Host": "localhost",
            "Content-Type": "application/json",
        }
        self.link.request(method, path, None if body is None else json.dumps(body), headers)
        answer = self.link.getresponse()
        self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
        document = json.loads(answer.read() or b"null")
        if answer.status >= 500:
            self.wrong.append(f"{answer.status} {path} {document}")
        return document

    def make(self, slug: str, turn: int) -> None:
        name = f"{slug}.{self.number}.{turn}"
        if self.call(slug, "POST", "/api/v1/projects/", {"slug": name}).get("slug") != name:
            self.wrong.append(f"{name} was not made")

    def look(self, slug: str, turn: int) -> None:
        rows = self.call(slug, "GET", "/api/v1/projects/?limit=50")["results"]
        self.wrong += [
            f"{row['slug']} seen in {slug}" for row in rows if row["slug"].partition(".")[0] not in (slug, "default")
        ]

    def track(self, slug: str, turn: int) -> None:
        body = {"experiment_id": "0", "run_name": f"{slug}.{self.number}.{turn}", "start_time": 1}
        self.call(slug, "POST", "/api/2.0/mlflow/runs/create", body)
        found = self.call(slug, "POST", "/api/2.0/mlflow/runs/search", {"experiment_ids": ["0"], "max_results": 20})
        names = [run["info"]["run_name"] for run in found.get("runs", [])]
        self.wrong += [f"{name} seen in {slug}" for name in names if name.partition(".")[0] != slug]

    def fail(self, slug: str, turn: int) -> None:
        """Break off inside a transaction: a taken slug, after its row was tried."""
        for _ in range(2):
            self.call(slug, "POST", "/api/v1/projects/", {"slug": f"{slug}.taken"})

    def ask(self, slug: str, turn: int) -> None:
        if self.call(slug, "GET", "/api/v1/auth/whoami/")["tenant"] != slug:
            self.wrong.append(f"{slug}'s key is somebody else's")


@pytest.mark.slow
def test_no_row_is_ever_foreign(
    web: WebServer, committed: Tenant, other_committed: Tenant, key_for: Callable[..., str]
) -> None:
    keys = {tenant.slug: key_for(tenant, "contributor") for tenant in (committed, other_committed)}
    visitors = [Visitor(number, web.port, keys, REQUESTS // THREADS) for number in range(THREADS)]
    for visitor in visitors:
        visitor.start()
    for visitor in visitors:
        visitor.join()
    assert [line for visitor in visitors for line in visitor.wrong] == []
    for tenant in (committed, other_committed):
        with tenant_context(tenant):
            slugs = Project.objects.exclude(slug="default").values_list("slug", flat=True)
            assert {slug.partition(".")[0] for slug in slugs} == {tenant.slug}
            names = Run.objects.values_list("name", flat=True)
            assert {name.partition(".")[0] for name in names} == {tenant.slug}
    assert sum(sum(v.statuses.values()) for v in visitors) >= REQUESTS
