"""`python -m bench.load.files`: send one large file in and out, beside copying it with its sha256 on the same disk.

It needs the embedded servers and starts its own web server. Each round copies the file, PUTs it and GETs it, so that
a slow minute hits all three. Ratios are of seconds on the clock within a round; CPU is of the web server's processes.
"""

import argparse
import hashlib
import http.client
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench.growth import processes, report
from bench.load import machine, targets

RESULTS = machine.ROOT / "bench" / "results" / "files.md"
PIECE = 2**20
SAMPLE_SECONDS = 0.05


@dataclass
class Done:
    """One transfer: seconds on the clock, CPU seconds, and by how much the server's memory rose at its peak."""

    seconds: float
    cpu: float
    rise_mb: float = 0.0


def make(path: Path, mib: int) -> str:
    """Write a file of random bytes; returns its sha256."""
    digest = hashlib.sha256()
    with path.open("wb") as out:
        for _ in range(mib):
            piece = os.urandom(PIECE)
            digest.update(piece)
            out.write(piece)
    return digest.hexdigest()


def copy(source: Path, target: Path) -> Done:
    """Copy a file with its sha256 and wait until the disk has it: what storing bytes can't do without."""
    begun, spent, digest = time.perf_counter(), time.process_time(), hashlib.sha256()
    with source.open("rb") as taken, target.open("wb") as out:
        while piece := taken.read(PIECE):
            digest.update(piece)
            out.write(piece)
        out.flush()
        os.fsync(out.fileno())
    done = Done(time.perf_counter() - begun, time.process_time() - spent)
    target.unlink()
    return done


@contextmanager
def watched(pid: int) -> Iterator[Done]:
    """Time a transfer and watch the server's memory while it lasts."""
    done, stop = Done(0, 0), threading.Event()
    before, begun = processes.cpu_seconds(pid), time.perf_counter()
    base = held = memory(pid)

    def look() -> None:
        nonlocal held
        while not stop.wait(SAMPLE_SECONDS):
            held = max(held, memory(pid))

    watcher = threading.Thread(target=look)
    watcher.start()
    yield done
    done.seconds = time.perf_counter() - begun
    done.cpu = processes.cpu_seconds(pid) - before
    stop.set()
    watcher.join()
    done.rise_mb = held - base


def memory(pid: int) -> float:
    """What a server's processes hold, in MB; pages that they share count once."""
    return sum(processes.memory_mb(each)["pss"] for each in processes.tree(pid))


def put(target: targets.Target, address: str, source: Path) -> Done:
    """PUT a file by sendfile, so that the client costs next to nothing."""
    host, _, port = target.url.removeprefix("http://").partition(":")
    with watched(target.pid) as done, socket.create_connection((host, int(port))) as sock, source.open("rb") as taken:
        head = f"PUT {address} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.token}\r\n"
        head += f"Content-Length: {source.stat().st_size}\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        sock.sendfile(taken)
        answer = sock.recv(PIECE)
    if not answer.startswith(b"HTTP/1.1 200"):
        raise SystemExit(f"bench: PUT answered {answer[:300]!r}")
    return done


def get(target: targets.Target, address: str, size: int) -> Done:
    """GET a file and throw it away."""
    host, _, port = target.url.removeprefix("http://").partition(":")
    buffer, left = bytearray(PIECE), size
    with watched(target.pid) as done, socket.create_connection((host, int(port))) as sock:
        head = f"GET {address} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {target.token}\r\nConnection: close\r\n\r\n"
        sock.sendall(head.encode())
        first = sock.recv(65536)
        left -= len(first.partition(b"\r\n\r\n")[2])
        while count := sock.recv_into(buffer):
            left -= count
    if left:
        raise SystemExit(f"bench: {left} of {size} bytes did not come: {first[:200]!r}")
    return done


def new_run(target: targets.Target) -> str:
    """Make a run to hold the file."""
    client = http.client.HTTPConnection(target.url.removeprefix("http://"), timeout=60)
    headers = {"Authorization": f"Bearer {target.token}", "Content-Type": "application/json"}
    client.request("POST", "/api/2.0/mlflow/runs/create", '{"experiment_id": "0", "start_time": 1}', headers)
    return client.getresponse().read().decode().partition('"run_id":"')[2][:32]


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    home = os.environ.get("MAESTRO_HOME", str(machine.ROOT / ".maestro"))
    parser.add_argument("--home", type=Path, default=Path(home))
    parser.add_argument("--port", type=int, default=8797)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def measure(asked: argparse.Namespace, target: targets.Target) -> Iterator[tuple[Done, Done, Done]]:
    """Copy, PUT and GET in turn; every PUT brings new bytes, which the store does not have yet."""
    source, size = asked.home / "bench-file", asked.mib * PIECE
    try:
        for number in range(asked.rounds):
            make(source, asked.mib)
            address = f"/api/2.0/mlflow-artifacts/artifacts/0/{new_run(target)}/artifacts/large-{number}.bin"
            copied = copy(source, source.with_suffix(".copy"))
            yield copied, put(target, address, source), get(target, address, size)
    finally:
        source.unlink(missing_ok=True)


def verdict(name: str, rounds: list[tuple[Done, Done]]) -> list[object]:
    """One row: seconds, ratio to the copy within each round, CPU and memory."""
    ratio = median(copied.seconds / done.seconds for copied, done in rounds)
    cpu = median(done.cpu for _, done in rounds)
    rise = max(done.rise_mb for _, done in rounds)
    met = "yes" if ratio >= 0.7 and rise <= 32 else "no"
    return [name, median(done.seconds for _, done in rounds), ratio, cpu, rise, met]


def main() -> None:
    """Measure and write."""
    asked = options()
    os.environ["MAESTRO_HOME"] = str(asked.home)
    load_before = os.getloadavg()[0]
    with targets.maestro(asked.port, 1, asked.home / "log" / "bench.log") as target:
        found = list(measure(asked, target))
    copied = [each[0] for each in found]
    lines = ["# A large file", "", "Written by `python -m bench.load.files`.", "", *machine.describe(load_before)]
    lines += [
        f"- {asked.mib:,} MiB of random bytes, {asked.rounds} rounds, medians; memory: the greatest rise of any round",
        "",
    ]
    lines += report.table(
        ["", "seconds", "speed, copy with sha256 = 1 (budget ≥ 0.7)", "CPU s", "memory rise MB (budget ≤ 32)", "met"],
        [
            [
                "copy with sha256 and fsync",
                median(c.seconds for c in copied),
                1.0,
                median(c.cpu for c in copied),
                "–",
                "–",
            ],
            verdict("PUT", [(each[0], each[1]) for each in found]),
            verdict("GET", [(each[0], each[2]) for each in found]),
        ],
    )
    asked.out.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
