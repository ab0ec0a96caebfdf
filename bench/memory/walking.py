"""The bench's visitors of the memory line: signed in on the pages, and by key at the APIs, in random order."""

import gzip
import http.client
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

HOST = "127.0.0.1"
PATIENCE = 120
LARGE = 8 * 2**20
MLFLOW = "/api/2.0/mlflow/"
V1 = "/api/v1/"


@dataclass(frozen=True)
class Site:
    """One tenant, and what is there to be looked at."""

    port: int
    slug: str
    key: str
    username: str
    password: str
    pages: list[str]
    runs: list[str]
    experiments: list[str]


@dataclass
class Tally:
    """What was asked for and how it was answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    bytes_read: int = 0
    cut: int = 0


class Walker(threading.Thread):
    """One visitor, who goes on until it is time."""

    def __init__(self, number: int, site: Site, until: float, pause: float = 0.0) -> None:
        super().__init__(daemon=True)
        self.site, self.until, self.chance, self.tally = site, until, random.Random(number), Tally()
        self.pause = pause
        self.cookies: dict[str, str] = {}
        self.host = f"{site.slug}.localhost"

    def run(self) -> None:
        """Sign in, then walk."""
        self.sign_in()
        moves = [self.page] * 12 + [self.list, self.search, self.log, self.file, self.table, self.refused, self.bulk]
        while time.monotonic() < self.until:
            move = self.chance.choice(moves)
            self.tally.kinds[move.__name__] += 1
            try:
                move()
            except (OSError, http.client.HTTPException):
                self.tally.cut += 1
            time.sleep(self.chance.uniform(0, 2 * self.pause))

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Make one request and read all of its answer."""
        link = http.client.HTTPConnection(HOST, self.site.port, timeout=PATIENCE)
        try:
            link.request(method, path, body, {"Host": self.host} | {k.replace("_", "-"): v for k, v in headers.items()})
            answer = link.getresponse()
            for name, value in answer.getheaders():
                if name.lower() == "set-cookie":
                    cookie, _, kept = value.partition(";")[0].partition("=")
                    self.cookies[cookie] = kept
            text = answer.read()
        finally:
            link.close()
        self.tally.statuses[answer.status] += 1
        self.tally.bytes_read += len(text)
        return answer.status, text

    def browse(self, method: str, path: str, fields: dict[str, str] | None = None) -> tuple[int, bytes]:
        """Ask as a browser that is signed in."""
        cookie = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = urlencode(fields).encode() if fields is not None else None
        kind = {"Content_Type": "application/x-www-form-urlencoded"} if fields is not None else {}
        return self.ask(method, path, body, Cookie=cookie, **kind)

    def call(self, method: str, path: str, body: object = None) -> tuple[int, bytes]:
        """Ask as a client with a key."""
        sent = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return self.ask(method, path, sent, Authorization=f"Bearer {self.site.key}", Content_Type="application/json")

    def sign_in(self) -> None:
        """Begin a session by the form."""
        _, text = self.browse("GET", "/admin/login/")
        found = re.search(rb'name="csrfmiddlewaretoken" value="([^"]+)"', text)
        token = found[1].decode() if found else ""
        fields = {"csrfmiddlewaretoken": token, "username": self.site.username, "password": self.site.password}
        status, _ = self.browse("POST", "/admin/login/", fields | {"next": "/admin/"})
        if status != 302:
            raise SystemExit(f"signing in answered {status}")

    def page(self) -> None:
        """Look at one of the pages."""
        self.browse("GET", self.chance.choice(self.site.pages))

    def list(self) -> None:
        """List by REST."""
        name = self.chance.choice(["projects", "experiments", "runs", "artifacts", "audit", "keys", "exports"])
        self.call("GET", f"{V1}{name}/?limit={self.chance.choice([50, 500])}")

    def search(self) -> None:
        """Search as the stock client does, a thousand runs at once."""
        asked = {"experiment_ids": self.site.experiments, "max_results": self.chance.choice([50, 1_000])}
        self.call("POST", f"{MLFLOW}runs/search", asked)

    def log(self) -> None:
        """Log a run with as much as one batch takes."""
        status, text = self.call("POST", f"{MLFLOW}runs/create", {"experiment_id": "0"})
        if status == 200:
            run = json.loads(text)["run"]["info"]["run_id"]
            metrics = [{"key": f"m{n % 40}", "value": n, "timestamp": n, "step": n} for n in range(900)]
            params = [{"key": f"p{n}", "value": "x" * 400} for n in range(90)]
            self.call("POST", f"{MLFLOW}runs/log-batch", {"run_id": run, "metrics": metrics, "params": params})

    def place(self, run: str) -> str:
        """Find out where a run's files are."""
        _, text = self.call("GET", f"{MLFLOW}runs/get?run_id={run}")
        info = json.loads(text)["run"]["info"]
        return f"/api/2.0/mlflow-artifacts/artifacts/{info['experiment_id']}/{info['run_id']}/artifacts"

    def bring(self, files: Mapping[str, Callable[[], bytes]]) -> None:
        """Bring the files that pages show."""
        for name, content in files.items():
            status, text = self.call("PUT", f"{self.place(self.site.runs[0])}/{name}", content())
            if status != 200:
                raise SystemExit(f"{name} answered {status}: {text[:200]!r}")

    def file(self) -> None:
        """Bring a large file, or take it away again."""
        path = f"{self.place(self.chance.choice(self.site.runs))}/large-{self.chance.randrange(3)}.bin"
        if self.chance.random() < 0.5:
            self.call("PUT", path, self.chance.randbytes(LARGE))
        else:
            self.call("GET", path)

    def table(self) -> None:
        """Take runs away as a file."""
        kind = self.chance.choice(["csv", "jsonl"])
        self.call("GET", f"{V1}runs/export/?format={kind}&experiment={self.chance.choice(self.site.experiments)}")

    def bulk(self) -> None:
        """Read whole curves."""
        run = self.chance.choice(self.site.runs)
        self.call("GET", f"{MLFLOW}metrics/get-history?run_id={run}&metric_key=page.curve_01&max_results=25000")

    def refused(self) -> None:
        """Send what is refused, as large as it may be."""
        large = json.dumps({f"field-{n}": "x" * 100 for n in range(130_000)}).encode()[: 15 * 2**20]
        bodies = [large, b"[" * 100_000, json.dumps({"usages": [{"a": 1}] * 100_000}).encode(), gzip.compress(large)]
        path = self.chance.choice([f"{V1}projects/", f"{MLFLOW}runs/log-batch", f"{V1}projects/page-bench/usages/"])
        self.call("PUT" if path.endswith("usages/") else "POST", path, self.chance.choice(bodies))
