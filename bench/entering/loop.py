"""Lets requests in, in a process that knows its database by its environment. `python -m bench.entering` starts it."""

import os
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import django

django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402 settings first
from django.db import close_old_connections  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.test import RequestFactory  # noqa: E402

from apps.tenants.middleware import TenantMiddleware  # noqa: E402
from bench.growth import processes  # noqa: E402
from maestro.database.statements import execute  # noqa: E402
from maestro.mlflow.views import MlflowView  # noqa: E402

# Long enough for a clock of 10 ms ticks to say something of the servers, short enough that all ways meet the same machine.
BATCH = 250

Way = tuple[Callable[[HttpRequest], HttpResponse], list[str]]


class Door(MlflowView):
    """A call that does nothing but ask the database for a number, as any call asks it for something."""

    required_role = "contributor"

    def post(self, request: HttpRequest) -> dict[str, int]:
        """Answer."""
        return {"one": execute("SELECT 1")[0][0]}


class OpenDoor(Door):
    """The same for anybody, wherever the session stands."""

    def admit(self, request: HttpRequest) -> None:
        """Let everybody in."""


def cpu_of(word: str) -> float:
    """CPU seconds that the servers with this word in their title have used."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    named = [pid for pid in pids if word in (title := processes.title(pid)) and "bench.entering" not in title]
    return sum(processes.cpu_seconds(pid) for pid in named)


def batch(answer: Callable[[HttpRequest], HttpResponse], keys: list[str], number: int) -> list[float]:
    """CPU seconds of so many requests: this process, Postgres, Valkey."""
    make = RequestFactory(headers={"host": "localhost"})
    database, valkey = sys.argv[3], str(urlsplit(sys.argv[4]).port)
    # This process last before and first after: looking at the others is no part of a request.
    servers, begun = (cpu_of(database), cpu_of(valkey)), time.process_time()
    for n in range(number):
        close_old_connections()
        request = make.post(
            "/api/2.0/x", b"{}", "application/json", headers={"authorization": f"Bearer {keys[n % len(keys)]}"}
        )
        if (status := answer(request).status_code) != 200:
            raise SystemExit(f"answered {status}")
    own = time.process_time() - begun
    return [own, cpu_of(database) - servers[0], cpu_of(valkey) - servers[1]]


def measured(ways: Mapping[str, Way], number: int) -> dict[str, list[float]]:
    """CPU ms a request of each way, which take turns in batches, so that what else the machine does meets all alike."""
    totals = {name: [0.0, 0.0, 0.0] for name in ways}
    for _ in range(number // BATCH):
        for name, (answer, keys) in ways.items():
            totals[name] = [a + b for a, b in zip(totals[name], batch(answer, keys, BATCH), strict=True)]
    return {name: [1000 * total / number for total in row] for name, row in totals.items()}


def medians(rows: list[list[float]]) -> list[float]:
    """The median of each column."""
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> int:
    """Measure open and guarded calls in turn, and print medians."""
    number, rounds, keys = int(sys.argv[1]), int(sys.argv[2]), sys.argv[5:]
    get_wsgi_application()
    door = Door.as_view()
    ways: dict[str, Way] = {
        "let in by anybody": (OpenDoor.as_view(), keys),
        "let in, one tenant": (TenantMiddleware(door), keys[:1]),
        "let in, two tenants in turn": (TenantMiddleware(door), keys),
    }
    measured(ways, 2 * BATCH)
    turns = [measured(ways, number) for _ in range(rounds)]
    found = {name: [turn[name] for turn in turns] for name in ways}
    first = found["let in by anybody"]
    base = sum(medians(first))
    print(
        "| request | this process | Postgres | Valkey | all | added | added, by round |\n|---|---|---|---|---|---|---|"
    )
    for name, rows in found.items():
        parts = medians(rows)
        each = " ".join(f"{sum(row) - sum(open_row):.2f}" for row, open_row in zip(rows, first, strict=True))
        numbers = " | ".join(f"{part:.3f}" for part in [*parts, sum(parts), sum(parts) - base])
        print(f"| {name} | {numbers} | {each} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
