"""What a web worker keeps of each heavy kind of request: next to nothing, however often and beside whatever it comes.

A real server of one worker; the visitors are those of `python -m bench.memory`. What is asserted is what a worker has for
itself when nobody asks any more: much of it needs a moment to be given back.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from apps.tenants.models import Tenant
from apps.tracking.models import Run
from bench.memory.filling import FILES, dashed
from bench.memory.walking import MLFLOW, Site, Walker
from config.serve import ALLOCATOR
from maestro import limits
from maestro.frugal import TIDY_SECONDS
from tests.web import WebServer, manage, start_web

# Of all kinds together, beyond what was held when each had come once.
MOST_MEGABYTES, TIMES, VISITORS, RUNS, SOME = 25, 12, 4, 20, 10
PATIENCE, MOMENT = 3 * TIDY_SECONDS, 1.2 * TIDY_SECONDS
pytestmark = pytest.mark.slow


@dataclass
class Place:
    """A server of one worker, and who walks about there."""

    web: WebServer
    walkers: list[Walker]

    def held(self) -> float:
        """What the worker holds for itself alone, in MB."""
        pid = self.web.process.pid
        (worker,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        lines = Path(f"/proc/{worker}/smaps_rollup").read_text().splitlines()[1:]
        sizes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
        return (sizes["Private_Clean"] + sizes["Private_Dirty"]) / 1024

    def walk(self, move: Callable[[Walker], object], times: int) -> None:
        """Let all visitors make a move so many times, beside each other."""

        def go(walker: Walker) -> None:
            for _ in range(times):
                move(walker)

        threads = [threading.Thread(target=go, args=(walker,)) for walker in self.walkers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def settled(self, most: float, patience: float = PATIENCE) -> float:
        """What it holds once that is little enough, or after patience."""
        deadline = time.monotonic() + patience
        while (held := self.held()) > most and time.monotonic() < deadline:
            time.sleep(0.5)
        return held


@pytest.fixture(scope="module")
def web(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    server = start_web(test_environment, threads=VISITORS)
    yield server
    server.stop()


@pytest.fixture
def place(web: WebServer, committed: Tenant, key_for: Callable[..., str], test_environment: dict[str, str]) -> Place:
    return furnished(web, committed, key_for(committed, "admin"), test_environment)


def furnished(web: WebServer, committed: Tenant, key: str, test_environment: dict[str, str]) -> Place:
    """Visitors, and what they look at."""
    name = f"walker-{web.port}"
    words = ["--tenant", committed.slug, "--role", "admin", "--username", name, "--output", "json"]
    password = json.loads(manage(test_environment, "add_person", *words))["password"]
    site = Site(web.port, committed.slug, key, name, password, [], [], ["0"])
    first = Walker(0, site, 0.0)
    for _ in range(RUNS):
        log(first)
    site.runs.extend(pk.hex for pk in Run.objects.order_by("-start_ms").values_list("pk", flat=True)[:10])
    first.bring(FILES)
    site.pages.extend(f"/admin/tracking/run/{dashed(site.runs[0])}/change/?file={name}" for name in FILES)
    site.pages.append(f"/admin/compare/?{'&'.join(f'run={run}' for run in site.runs)}")
    site.pages.append("/admin/tracking/run/")
    walkers = [Walker(number, site, 0.0) for number in range(VISITORS)]
    for walker in walkers:
        walker.sign_in()
    return Place(web, walkers)


def log(walker: Walker) -> None:
    """Log a run with as long params as one batch takes: twenty of them are an answer of ten megabytes."""
    _, text = walker.call("POST", f"{MLFLOW}runs/create", {"experiment_id": "0"})
    params = [{"key": f"p{n}", "value": "x" * limits.PARAM_VALUE_CHARS} for n in range(limits.BATCH_PARAMS)]
    batch = {"run_id": json.loads(text)["run"]["info"]["run_id"], "params": params}
    assert walker.call("POST", f"{MLFLOW}runs/log-batch", batch)[0] == 200


def search(walker: Walker) -> None:
    """Search as the stock client does, a thousand runs at once."""
    status, text = walker.call("POST", f"{MLFLOW}runs/search", {"experiment_ids": ["0"], "max_results": 1_000})
    assert (status, len(text) > 10_000_000) == (200, True)


def short_search(walker: Walker) -> None:
    """Search for some: six megabytes. From eight on, the server's allocator gives back by itself, whatever it was told."""
    status, text = walker.call("POST", f"{MLFLOW}runs/search", {"experiment_ids": ["0"], "max_results": SOME})
    assert (status, 5_000_000 < len(text) < 8 * 2**20) == (200, True)


KINDS: dict[str, Callable[[Walker], object]] = {
    "pages": Walker.page,
    "searches with long answers": search,
    "large bodies that are refused": Walker.refused,
}


def test_no_kind_of_request_leaves_much_behind(place: Place) -> None:
    for move in KINDS.values():
        move(place.walkers[0])
    before, left = place.settled(0), {}
    for name, move in KINDS.items():
        place.walk(move, TIMES // VISITORS)
        left[name] = round(place.settled(before + MOST_MEGABYTES) - before)
    assert max(left.values()) <= MOST_MEGABYTES, left
    statuses = {status for walker in place.walkers for status in walker.tally.statuses}
    assert statuses <= {200, 302, 400, 404, 413}


def test_the_servers_allocator_gives_back_what_answers_took(
    committed: Tenant, key_for: Callable[..., str], test_environment: dict[str, str]
) -> None:
    """The same burst before two servers: one as it is started, and one whose allocator is told nothing."""
    key, kept = key_for(committed, "admin"), {}
    for what, more in (("as started", {}), ("told nothing", {ALLOCATOR[0]: ""})):
        server = start_web(test_environment | more, threads=VISITORS)
        try:
            place = furnished(server, committed, key, test_environment)
            short_search(place.walkers[0])
            before = place.settled(0, MOMENT)
            place.walk(short_search, TIMES // VISITORS)
            kept[what] = round(place.settled(0, MOMENT) - before)
        finally:
            server.stop()
    print(kept)
    assert kept["told nothing"] >= 2 * max(kept["as started"], 4), kept
