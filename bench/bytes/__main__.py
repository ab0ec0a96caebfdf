"""`python -m bench.bytes --store folder|bucket`: one large file in and out, beside the least that it can cost.

It starts its own servers. Each round does every way in turn, so that a slow minute hits them all; ratios are of seconds on
the clock within a round. CPU and memory are of the web server's processes, memory as PSS. With --mlflow-python FILE the
proxy of `mlflow server` stands beside. Each store is a section of bench/results/bytes.md, and measured by a call of its own.
"""

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from bench.bytes import clients
from bench.growth.report import table
from bench.load import files, machine, targets
from bench.load.files import PIECE, Done
from bench.load.targets import Target
from tests import servers
from tests.factories.stores import BUCKET, bucket_environment
from tests.ports import claim_ports
from tests.web import ROOT, environment, issue_key, manage, start_web

RESULTS = ROOT / "bench" / "results" / "bytes.md"
TENANT, DATABASE = "bytes", "maestro_bytes"
PROXY = "/api/2.0/mlflow-artifacts/artifacts/"
HEADS = ["", "seconds", "beside", "ratio (1: as fast)", "bar", "server CPU s", "memory rise MB (bar ≤ 32)", "met"]
Row = tuple[str, list[Done], list[Done] | None, str, float | None]
Rounds = dict[str, list[Done]]


@contextmanager
def maestro(home: Path, store: str) -> Iterator[Target]:
    """A web server of one worker on a database of its own, with a contributor's key."""
    servers.create_database(DATABASE)
    values = environment(DATABASE, home / "kept") | {"PYTHONPATH": str(ROOT), "MAESTRO_RATE_KEY": "0"}
    if store == "bucket":
        values |= bucket_environment(f"bench/{os.getpid()}", is_direct=True)
    manage(values, "migrate_tenants", "--ensure-tenant", TENANT)
    web = start_web(values)
    try:
        yield Target("maestro", f"http://127.0.0.1:{web.port}", issue_key(values, TENANT), web.process.pid)
    finally:
        web.stop()


def peer(python: Path, home: Path, stack: ExitStack) -> Target:
    """The original's server with a folder of its own and SQLite."""
    (port,) = claim_ports(1)
    dsn = f"sqlite:///{home / 'mlflow.db'}"
    return stack.enter_context(targets.mlflow(python, port, 1, home / "mlflow.log", dsn))


def of_a_folder(
    ours: Target, theirs: Target | None, source: Path, number: int, size: int
) -> Iterator[tuple[str, Done]]:
    """Copy; PUT and GET by us and by the original."""
    yield "copy", files.copy(source, source.with_suffix(".copy"))
    address = f"{PROXY}0/{files.new_run(ours)}/artifacts/large.bin"
    yield "PUT", files.put(ours, address, source)
    yield "GET", files.get(ours, address, size)
    if theirs is not None:
        address = f"{PROXY}0/{number}/artifacts/large.bin"
        yield "PUT of mlflow", files.put(theirs, address, source)
        yield "GET of mlflow", files.get(theirs, address, size)


def of_a_bucket(ours: Target, source: Path, number: int, size: int) -> Iterator[tuple[str, Done]]:
    """Send it straight into the bucket by boto3 and by maestro-ci, and through the server. The two take turns to be first."""

    def theirs() -> Iterator[tuple[str, Done]]:
        sent, read = clients.by_boto3(servers.start_s3(), BUCKET, source)
        yield from (("boto3", sent), ("boto3 and read", added(sent, read)))

    def mine() -> Iterator[tuple[str, Done]]:
        sent, committed = clients.by_maestro_ci(ours, source)
        yield from (("parts", sent), ("parts and commit", added(sent, committed)))

    for way in (theirs, mine) if number % 2 else (mine, theirs):
        yield from way()
    if number == 0:
        fresh(source, size // PIECE)
        address = f"{PROXY}0/{files.new_run(ours)}/artifacts/large.bin"
        yield "PUT", files.put(ours, address, source)
        yield "GET", files.get(ours, address, size)


def warm(store: str, ours: Target, theirs: Target | None, source: Path) -> None:
    """Send something small each way first: a server loads its bucket's library once, whatever the size."""
    fresh(source, 33)
    if store == "bucket":
        clients.by_maestro_ci(ours, source)
        fresh(source, 33)
    for target, folder in ((ours, f"0/{files.new_run(ours)}/artifacts"), (theirs, "0/warm/artifacts")):
        if target is not None:
            files.put(target, f"{PROXY}{folder}/small.bin", source)
            files.get(target, f"{PROXY}{folder}/small.bin", 33 * PIECE)


def fresh(source: Path, mib: int) -> None:
    """Write new bytes and wait until the disk has them, so that no later step waits for these."""
    files.make(source, mib)
    with source.open("rb") as file:
        os.fsync(file.fileno())


def added(one: Done, two: Done) -> Done:
    """Two steps as one."""
    return Done(one.seconds + two.seconds, one.cpu + two.cpu, max(one.rise_mb, two.rise_mb))


def rows(store: str, found: Rounds) -> Iterator[Row]:
    """What is compared with what, and the bar."""
    if store == "folder":
        yield "copy with sha256 and fsync", found["copy"], None, "", None
        yield "PUT", found["PUT"], found["copy"], "copy", 0.7
        yield "GET", found["GET"], found["copy"], "copy", None
        for verb in ("PUT", "GET") if "PUT of mlflow" in found else ():
            yield f"{verb} of mlflow server", found[f"{verb} of mlflow"], found["copy"], "copy", None
        return
    yield "boto3: sha256, then upload_file", found["boto3"], None, "", None
    yield "maestro-ci: sha256, then parts", found["parts"], found["boto3"], "boto3", 0.9
    yield "boto3, then read back with sha256", found["boto3 and read"], None, "", None
    yield (
        "maestro-ci, then commit, which does that",
        found["parts and commit"],
        found["boto3 and read"],
        "boto3 that reads back",
        0.9,
    )
    yield "PUT through the server", found["PUT"], found["boto3"][:1], "boto3", None
    yield "GET through the server", found["GET"], found["boto3"][:1], "boto3", None


def shown(row: Row) -> list[object]:
    """A line of the table."""
    name, mine, beside, of, bar = row
    ratio = median(b.seconds / m.seconds for b, m in zip(beside, mine, strict=True)) if beside else 1.0
    is_ours = "mlflow server" not in name and beside is not None
    rise = max(done.rise_mb for done in mine)
    met = "–" if not is_ours else "yes" if rise <= 32 and ratio >= (bar or 0) else "no"
    own = [median(done.cpu for done in mine), rise] if beside else ["–", "–"]
    return [name, median(done.seconds for done in mine), of or "–", ratio, f"≥ {bar}" if bar else "–", *own, met]


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", choices=("folder", "bucket"), required=True)
    parser.add_argument("--mib", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--mlflow-python", type=Path, help="a Python with mlflow: measure its proxy as well")
    parser.add_argument("--note", action="append", default=[], help="a line for the results")
    return parser.parse_args()


def measure(asked: argparse.Namespace, home: Path) -> Rounds:
    """Do every way in each round, with new bytes for each."""
    found: Rounds = {}
    source, size = home / "large", asked.mib * PIECE
    with ExitStack() as stack:
        theirs = peer(asked.mlflow_python, home, stack) if asked.mlflow_python else None
        ours = stack.enter_context(maestro(home, asked.store))
        warm(asked.store, ours, theirs, source)
        for number in range(asked.rounds):
            fresh(source, asked.mib)
            ways: Callable[[], Iterator[tuple[str, Done]]] = (
                (lambda n=number: of_a_folder(ours, theirs, source, n, size))
                if asked.store == "folder"
                else (lambda n=number: of_a_bucket(ours, source, n, size))
            )
            for name, done in ways():
                found.setdefault(name, []).append(done)
                print(
                    f"round {number + 1}: {name} {done.seconds:.1f} s, +{done.rise_mb:.1f} MB",
                    file=sys.stderr,
                    flush=True,
                )
    return found


def write(section: str, lines: list[str]) -> None:
    """Write one section in its place and leave the other."""
    old = RESULTS.read_text() if RESULTS.exists() else ""
    kept = dict(re.findall(r"^## (.*?)\n\n(.*?)(?=^## |\Z)", old, re.MULTILINE | re.DOTALL))
    kept[section] = "\n".join(lines) + "\n"
    body = "\n".join(f"## {name}\n\n{kept[name].rstrip()}\n" for name in sorted(kept, reverse=True))
    RESULTS.write_text(f"# A large file, in and out\n\nWritten by `python -m bench.bytes`.\n\n{body}")


def main() -> None:
    """Measure and write."""
    asked, load = options(), os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="maestro-bytes-") as folder:
        home = Path(folder)
        home.chmod(0o711)
        found = measure(asked, home)
    lines = [*machine.describe(load)]
    lines.append(
        f"- {asked.mib:,} MiB of random bytes, {asked.rounds} rounds, medians; memory: the greatest rise of any round"
    )
    if asked.store == "bucket":
        lines.append(
            f"- parts of 16 MiB, {clients.AT_ONCE} at once, each with its SHA-256, for both; SeaweedFS on the same cores"
        )
    lines += [f"- {note}" for note in asked.note]
    lines += ["", *table(HEADS, [shown(row) for row in rows(asked.store, found)])]
    write(f"Into a {asked.store}", lines)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
