"""The bench's clients of the soak: each speaks for both tenants, in random order, over REST, MLflow and files.

Whatever a tenant stores carries its marker, so that a look at any answer or row tells whose it is. What was
acknowledged is noted, and must be there in the end.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MLFLOW = "/api/2.0/mlflow/"
FILES = "/api/2.0/mlflow-artifacts/artifacts/"
OUTAGE = (503, 507)
METRICS, PARAMS = 5, 2
PATIENCE = 60


def cause_of(error: Exception, *, used: bool) -> str:
    """Say why a request got no answer."""
    if isinstance(error, TimeoutError):
        return f"waited {PATIENCE} s in vain"
    return f"{type(error).__name__} on {'a used' if used else 'a new'} connection"


@dataclass(frozen=True)
class Place:
    """A tenant as a client knows it."""

    slug: str
    key: str
    marker: str


@dataclass
class Ledger:
    """What happened, from the clients' side."""

    wrong: list[str] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    cuts: Counter[str] = field(default_factory=Counter)
    projects: dict[str, list[str]] = field(default_factory=dict)
    batches: dict[str, dict[str, bool]] = field(default_factory=dict)
    files: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)

    def add(self, other: "Ledger") -> None:
        """Take in what another client saw."""
        self.wrong += other.wrong
        self.statuses += other.statuses
        self.cuts += other.cuts
        for mine, theirs in ((self.projects, other.projects), (self.files, other.files)):
            for slug, rows in theirs.items():
                mine.setdefault(slug, []).extend(rows)  # type: ignore[attr-defined]
        for slug, runs in other.batches.items():
            self.batches.setdefault(slug, {}).update(runs)
        for slug, names in other.versions.items():
            self.versions.setdefault(slug, []).extend(names)


class Visitor(threading.Thread):
    """One client. Answers of 503 are outages that the faults cause; anything else of 500 and above is wrong."""

    def __init__(self, number: int, port: int, places: list[Place], requests: int, until: float) -> None:
        super().__init__(daemon=True)
        self.until = until
        self.chance = random.Random(number)
        self.number, self.port, self.places, self.requests = number, port, places, requests
        self.ledger, self.sent, self.turn = Ledger(), 0, 0
        self.link: http.client.HTTPConnection | None = None

    def run(self) -> None:
        """Send requests until there were enough."""
        moves = [self.make, self.look, self.track, self.track, self.read, self.publish, self.fail, self.ask]
        try:
            while self.sent < self.requests and time.monotonic() < self.until:
                self.turn += 1
                self.chance.choice(moves)(self.chance.choice(self.places))
        except Exception as error:  # noqa: BLE001 a thread tells its maker
            self.ledger.wrong.append(f"{type(error).__name__}: {error}")

    def call(self, place: Place, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """Make a request. Returns its document, or None if it was refused, in an outage or cut off."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {place.key}", "Host": "localhost", "Content-Type": kind}
        headers |= {"Idempotency-Key": f"{self.number}-{self.turn}-{self.sent}"} if method == "POST" else {}
        self.sent += 1
        used = self.link is not None
        try:
            self.link = self.link or http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
            self.link.request(method, path, data, headers)
            answer = self.link.getresponse()
            text = answer.read()
        except (http.client.HTTPException, OSError) as error:
            self.ledger.cuts[cause_of(error, used=used)] += 1
            self.link = None
            return None
        self.ledger.statuses[answer.status] += 1
        if answer.status >= 500 and answer.status not in OUTAGE:
            self.ledger.wrong.append(f"{answer.status} {method} {path} {text[:300]!r}")
        for other in self.places:
            if other is not place and other.marker.encode() in text:
                self.ledger.wrong.append(f"{other.slug}'s data in an answer to {place.slug}: {method} {path}")
        if answer.status >= 400:
            return None
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def name(self, place: Place) -> str:
        """A name that tells whose it is."""
        return f"{place.marker}.{self.number}.{self.turn}"

    def make(self, place: Place) -> None:
        """Make a project."""
        name = self.name(place)
        if self.call(place, "POST", "/api/v1/projects/", {"slug": name}):
            self.ledger.projects.setdefault(place.slug, []).append(name)

    def look(self, place: Place) -> None:
        """List what is there."""
        self.call(place, "GET", self.chance.choice(["/api/v1/projects/?limit=50", "/api/v1/runs/?limit=50"]))
        self.call(place, "POST", f"{MLFLOW}runs/search", {"experiment_ids": ["0"], "max_results": 20})

    def track(self, place: Place) -> None:
        """Log a run: a batch that is stored whole or not at all, and a file."""
        begun = self.call(place, "POST", f"{MLFLOW}runs/create", {"experiment_id": "0", "run_name": self.name(place)})
        if not begun:
            return
        info = begun["run"]["info"]
        run = info["run_id"]
        batch = {
            "run_id": run,
            "metrics": [{"key": f"m{n}", "value": self.number, "timestamp": 1, "step": 0} for n in range(METRICS)],
            "params": [{"key": f"p{n}", "value": self.name(place)} for n in range(PARAMS)],
        }
        done = self.call(place, "POST", f"{MLFLOW}runs/log-batch", batch)
        self.ledger.batches.setdefault(place.slug, {})[run] = done is not None
        path = f"{FILES}{info['artifact_uri'].partition(':/')[2].lstrip('/')}/a.txt"
        text = f"{self.name(place)} {run}"
        if self.call(place, "PUT", path, text.encode(), "application/octet-stream") is not None:
            self.ledger.files.setdefault(place.slug, []).append((path, text))

    def read(self, place: Place) -> None:
        """Read a file back; it must be the one that was stored."""
        stored = self.ledger.files.get(place.slug)
        if stored:
            path, text = self.chance.choice(stored)
            found = self.call(place, "GET", path)
            if found is not None and found != text.encode():
                self.ledger.wrong.append(f"{path} is not what was stored")

    def publish(self, place: Place) -> None:
        """Make an artifact and a version of it."""
        name = self.name(place)
        if self.call(place, "PUT", f"/api/v1/artifacts/{name}/", {"kind": "model"}):
            body = {"files": [{"path": "a.txt", "text": name}]}
            if self.call(place, "POST", f"/api/v1/artifacts/{name}/versions/", body):
                self.ledger.versions.setdefault(place.slug, []).append(name)

    def fail(self, place: Place) -> None:
        """Break off inside a transaction: a row is tried, and refused by the database."""
        taken: Callable[[], Any] = lambda: self.call(  # noqa: E731
            place, "POST", "/api/v1/projects/", {"slug": f"{place.marker}.taken"}
        )
        taken()
        taken()

    def ask(self, place: Place) -> None:
        """Ask who one is."""
        who = self.call(place, "GET", "/api/v1/auth/whoami/")
        if who and who["tenant"] != place.slug:
            self.ledger.wrong.append(f"{place.slug}'s key is somebody else's")


def visit(port: int, places: list[Place], *, requests: int, threads: int, most_seconds: float = 86_400) -> Ledger:
    """Let so many clients send so many requests, together."""
    until = time.monotonic() + most_seconds
    visitors = [Visitor(number, port, places, -(-requests // threads), until) for number in range(threads)]
    for visitor in visitors:
        visitor.start()
    whole = Ledger()
    for visitor in visitors:
        visitor.join()
        whole.add(visitor.ledger)
    return whole
