"""`python -m bench.turns`: one tenant asks for all it may, again and again; how long does the other wait for its answers?

It starts an installation of its own (Postgres, Valkey, web server, one worker with two processes), asks questions of a
quiet tenant alone, then while another keeps its queue full, and writes waits and their ratio. Exits with 1 above 2.
"""

import argparse
import http.client
import json
import os
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from tests import servers
from tests.web import ROOT, WebServer, environment, issue_key, manage, start_web, start_worker

RESULTS = ROOT / "bench" / "results" / "turns.md"
QUIET, LOUD = "turns-quiet", "turns-loud"
FACTS = {"problem_class": "classification", "complexity": 40}
BOUND = 2.0


class Asker:
    """A key of one tenant."""

    def __init__(self, web: WebServer, slug: str, key: str) -> None:
        self.web, self.headers = web, {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self.headers["Host"] = f"{slug}.localhost"

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send one request over a connection of its own."""
        line = http.client.HTTPConnection("127.0.0.1", self.web.port, timeout=60)
        try:
            line.request(method, path, json.dumps(body) if body is not None else None, self.headers)
            answer = line.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            line.close()

    def ask(self) -> str | None:
        """Ask one question; its id, or None if too many wait."""
        status, answer = self.call("POST", "/api/v1/forecasts/", FACTS)
        return answer["id"] if status == 202 else None

    def wait(self, most_seconds: float) -> float:
        """Ask, look ten times a second, and say how many seconds the answer took."""
        began, identity = time.monotonic(), self.ask()
        while time.monotonic() - began < most_seconds:
            if identity and self.call("GET", f"/api/v1/forecasts/{identity}/")[1]["state"] == "done":
                return time.monotonic() - began
            time.sleep(0.1)
        return float("inf")


def flood(asker: Asker, ended: threading.Event, counts: dict[str, int]) -> None:
    """Keep as many questions waiting as are let in."""
    while not ended.is_set():
        counts["asked" if asker.ask() else "refused"] += 1
        time.sleep(0.02)


def p95(waits: list[float]) -> float:
    """The wait that one in twenty exceeds."""
    return sorted(waits)[min(len(waits) - 1, int(0.95 * len(waits)))]


def measure(web: WebServer, keys: dict[str, str], questions: int) -> tuple[list[float], list[float], dict[str, int]]:
    """Wait alone, then beside the flood, in turn by halves so that a change of the machine meets both."""
    quiet, alone, beside, counts = Asker(web, QUIET, keys[QUIET]), [], [], {"asked": 0, "refused": 0}
    quiet.wait(120)
    for _ in range(2):
        alone += [quiet.wait(120) for _ in range(questions // 2)]
        ended = threading.Event()
        loud = threading.Thread(target=flood, args=(Asker(web, LOUD, keys[LOUD]), ended, counts))
        loud.start()
        time.sleep(3)
        beside += [quiet.wait(300) for _ in range(questions // 2)]
        ended.set()
        loud.join()
        drain(Asker(web, LOUD, keys[LOUD]))
    return alone, beside, counts


def drain(asker: Asker) -> None:
    """Wait until the flood is over: a question asked last is answered last."""
    while (identity := asker.ask()) is None:
        time.sleep(1)
    while asker.call("GET", f"/api/v1/forecasts/{identity}/")[1]["state"] == "waiting":
        time.sleep(0.5)


def main() -> int:
    """Start, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--questions", type=int, default=40, help="of the quiet tenant, alone and beside the flood")
    parser.add_argument("--out", type=Path, default=RESULTS)
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="maestro-turns-") as home:
        servers.start_postgres()
        servers.create_database("maestro_turns")
        values = environment("maestro_turns", Path(home) / "bytes") | {"PYTHONPATH": str(ROOT)}
        manage(values, "migrate_tenants", "--ensure-tenant", QUIET, "--ensure-tenant", LOUD)
        keys = {slug: issue_key(values, slug) for slug in (QUIET, LOUD)}
        log = Path(home) / "worker.log"
        web, worker = start_web(values, workers=2, threads=16), start_worker(values, log)
        try:
            alone, beside, counts = measure(web, keys, asked.questions)
        finally:
            web.stop()
            worker.terminate()
            worker.wait(30)
    ratio = p95(beside) / p95(alone)
    lines = [
        "# Taking turns",
        "",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, {os.cpu_count()} cores, load average before {load:.1f}. Command: "
        f"`python -m bench.turns {' '.join(sys.argv[1:])}`.",
        "",
        "| a question of the quiet tenant | n | median s | p95 s |",
        "|---|---:|---:|---:|",
        f"| alone | {len(alone)} | {median(alone):.2f} | {p95(alone):.2f} |",
        f"| while the other floods | {len(beside)} | {median(beside):.2f} | {p95(beside):.2f} |",
        "",
        f"Ratio of p95: {ratio:.2f} (at most {BOUND:.0f}). The flood: {counts['asked']} questions let in, "
        f"{counts['refused']} refused with 429.",
        "",
    ]
    asked.out.write_text("\n".join(lines))
    print("\n".join(lines))
    return 0 if ratio <= BOUND else 1


if __name__ == "__main__":
    sys.exit(main())
