"""`python -m bench.walls`: ask for what the other tenant has and for what nobody has, in turn, and compare the times.

It starts servers of its own. Each pair is asked for in random order over one connection; the rank test (Mann and
Whitney, normal approximation) says how likely such a difference is by chance alone.

Units  milliseconds of the clock, one client, one request at a time
"""

import argparse
import http.client
import json
import math
import random
import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path

from tests import servers
from tests.web import ROOT, environment, issue_key, manage, start_web

SLUGS = ("walls-one", "walls-two")


class Asker:
    """A client of one tenant."""

    def __init__(self, port: int, key: str) -> None:
        self.link = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self.headers = {"Authorization": f"Bearer {key}", "Host": "localhost", "Content-Type": "application/json"}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, bytes, float]:
        """Make a request. Returns status, body and milliseconds."""
        data = None if body is None else json.dumps(body)
        began = time.perf_counter()
        self.link.request(method, path, data, self.headers)
        answer = self.link.getresponse()
        text = answer.read()
        return answer.status, text, (time.perf_counter() - began) * 1000


def things(asker: Asker, number: int) -> dict[str, list[str]]:
    """Make so many things of each kind. Returns the addresses that show them."""
    made: dict[str, list[str]] = {"project": [], "run": [], "artifact": []}
    for n in range(number):
        project = json.loads(asker.ask("POST", "/api/v1/projects/", {"slug": f"p{n}"})[1])["id"]
        made["project"].append(f"/api/v1/projects/{project}/")
        run = json.loads(asker.ask("POST", "/api/2.0/mlflow/runs/create", {"experiment_id": "0"})[1])
        made["run"].append(f"/api/2.0/mlflow/runs/get?run_id={run['run']['info']['run_id']}")
        asker.ask("PUT", f"/api/v1/artifacts/artifact-{n:04}/", {"kind": "model"})
        made["artifact"].append(f"/api/v1/artifacts/artifact-{n:04}/")
    return made


def missing(path: str) -> str:
    """The address of what nobody has, of the same length."""
    if "artifact-" in path:
        return path.replace("artifact-", "nobodys--")
    if "run_id=" in path:
        return path.partition("=")[0] + "=" + uuid.uuid4().hex
    return f"/api/v1/projects/{uuid.uuid4()}/"


def chance_of(one: list[float], two: list[float]) -> float:
    """How likely a difference in rank as large as this is, if there is none.

    Source  Mann and Whitney (1947), normal approximation
    """
    ranked = sorted([(value, 0) for value in one] + [(value, 1) for value in two])
    total = sum(rank for rank, (_, side) in enumerate(ranked, 1) if side == 0)
    n, m = len(one), len(two)
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    return math.erfc(abs(total - n * (n + m + 1) / 2) / deviation / math.sqrt(2))


def compare(asker: Asker, addresses: list[str], pairs: int) -> tuple[list[float], list[float]]:
    """Ask in pairs: for a foreign thing and a missing one, in random order."""
    chance, foreign, nobodys = random.Random(7), [], []
    for n in range(pairs):
        path = addresses[n % len(addresses)]
        turns = [(path, foreign), (missing(path), nobodys)]
        chance.shuffle(turns)
        for address, times in turns:
            status, text, took = asker.ask("GET", address)
            if status != 404:
                raise SystemExit(f"{address} answered {status}: {text[:200]!r}")
            times.append(took)
    return foreign, nobodys


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=500)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="maestro-walls-") as home:
        servers.start_postgres()
        servers.create_database("maestro_walls")
        values = environment("maestro_walls", Path(home) / "bytes") | {"PYTHONPATH": str(ROOT)}
        manage(values, "migrate_tenants", *(word for slug in SLUGS for word in ("--ensure-tenant", slug)))
        keys = [issue_key(values, slug) for slug in SLUGS]
        web = start_web(values, workers=1, threads=2)
        try:
            made = things(Asker(web.port, keys[0]), 50)
            asker = Asker(web.port, keys[1])
            print("| thing | foreign, median ms | missing, median ms | p |\n|---|---|---|---|")
            for kind, addresses in made.items():
                compare(asker, addresses, 50)
                one, two = compare(asker, addresses, asked.pairs)
                medians = f"{statistics.median(one):.3f} | {statistics.median(two):.3f}"
                print(f"| {kind} | {medians} | {chance_of(one, two):.2f} |", flush=True)
        finally:
            web.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
