"""`python -m bench.load --harness FOLDER`: measure a Maestro of our own beside its peers and write the table.

It needs the embedded servers (`python -m maestro.embedded servers`, or a demo that runs) and a harness: a folder
with mlflow_load.py and pg_limit.py, which print one JSON object a scenario. It starts its own web server beside
them, in a tenant named bench that it makes, and ends it afterwards. With --limit it measures Postgres itself, with
--mlflow-python FILE the original server, both in databases of their own on the same Postgres; all in the same rounds.
"""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from bench.load import corpora, machine, measuring, tables, targets
from bench.load.measuring import Found
from bench.load.targets import Target

RESULTS = machine.ROOT / "bench" / "results" / "load.md"
CORPUS = 10_000


def options() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--harness", type=Path, required=True, help="folder of mlflow_load.py and pg_limit.py")
    home = os.environ.get("MAESTRO_HOME", str(machine.ROOT / ".maestro"))
    parser.add_argument("--home", type=Path, default=Path(home), help="folder of the embedded servers")
    parser.add_argument("--port", type=int, default=8777)
    parser.add_argument("--workers", type=int, default=2, help="of each web server")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenario", action="append", choices=measuring.SCENARIOS)
    parser.add_argument("--limit", action="store_true", help="measure Postgres itself as well")
    parser.add_argument("--mlflow-python", type=Path, help="a Python with mlflow and psycopg2: measure it as well")
    parser.add_argument(
        "--fill", action="store_true", help=f"fill each with the search corpus of {CORPUS:,} runs first"
    )
    parser.add_argument(
        "--note", action="append", default=[], help="a line for the results, e.g. what else was running"
    )
    parser.add_argument("--out", type=Path, default=RESULTS)
    return parser.parse_args()


def main() -> None:
    """Measure and write."""
    asked = options()
    os.environ["MAESTRO_HOME"] = str(asked.home)
    load_before = os.getloadavg()[0]
    with ExitStack() as stack:
        servers = list(start(asked, stack))
        if asked.fill:
            fill(asked, servers)
        found = measuring.rounds(
            asked.harness,
            servers,
            asked.scenario or measuring.SCENARIOS,
            postgres=machine.postmaster(asked.home),
            times=asked.rounds,
            extra=[],
        )
    text = "\n".join(page(asked, servers, found, load_before)) + "\n"
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    asked.out.write_text(text)
    print(text)


def start(asked: argparse.Namespace, stack: ExitStack) -> Iterator[Target]:
    """Start what is to be measured."""
    owner = machine.read_env(asked.home)["MAESTRO_OWNER_DATABASE_URL"]
    log = asked.home / "log" / "bench.log"
    yield stack.enter_context(targets.maestro(asked.port, asked.workers, log))
    if asked.mlflow_python:
        dsn = targets.ensure_database(owner, targets.MLFLOW_DATABASE)
        address = dsn.replace("postgresql://", "postgresql+psycopg2://")
        server = targets.mlflow(asked.mlflow_python, asked.port + 1, asked.workers, log, address)
        yield stack.enter_context(server)
    if asked.limit:
        dsn = targets.ensure_database(owner, targets.LIMIT_DATABASE)
        yield Target("limit", dsn=dsn, note="Postgres alone with the same rows, by psycopg")


def fill(asked: argparse.Namespace, servers: list[Target]) -> None:
    """Give every server the corpus that the searches walk; Maestro's is then folded, as its worker does."""
    sys.path.insert(0, str(asked.harness))
    content = importlib.import_module("mlflow_load").run_content
    owner = machine.read_env(asked.home)["MAESTRO_OWNER_DATABASE_URL"]
    for server in servers:
        if server.name == "maestro" and corpora.fill_maestro(owner, targets.TENANT, CORPUS, content):
            subprocess.run([sys.executable, "-m", "bench.load.fold", targets.TENANT], check=True, cwd=machine.ROOT)
            corpora.analyze(owner, targets.TENANT)
        if server.name == "mlflow":
            corpora.fill_mlflow(server.dsn.replace("+psycopg2", ""), CORPUS, content)
        if server.name == "limit":
            command = [sys.executable, str(asked.harness / "pg_limit.py"), "--pg-dsn", server.dsn, "--ops", "1"]
            subprocess.run([*command, "--case", "search page"], check=True, capture_output=True)


def page(asked: argparse.Namespace, servers: list[Target], found: Found, load_before: float) -> Iterator[str]:
    """Write the whole page."""
    yield "# Load"
    yield ""
    yield f'Written by `make bench-load ARGS="{" ".join(told(asked))}"`. CPU first: wall clock is noise on a shared machine.'
    yield ""
    yield from machine.describe(load_before)
    yield f"- {asked.rounds} rounds, the servers in turn; medians, and ratios as medians of the ratios within a round"
    yield "- each server answered each scenario some times before it was measured (measuring.WARM)"
    yield "- the clients of the load run on the same cores; what they cost is not in the CPU of the server"
    for server in servers:
        yield f"- {server.name}: {server.note}"
    for note in asked.note:
        yield f"- {note}"
    for title, lines in (
        ("Measured", tables.measured(found)),
        ("Ratios", tables.ratios(found)),
        ("Budgets", tables.judged(found)),
    ):
        yield from ("", f"## {title}", "", *lines)


def told(asked: argparse.Namespace) -> Iterator[str]:
    """Write the options again, without the folders of this machine."""
    yield "--harness FOLDER"
    yield f"--rounds {asked.rounds}"
    if asked.limit:
        yield "--limit"
    if asked.mlflow_python:
        yield "--mlflow-python FILE"
    if asked.fill:
        yield "--fill"


if __name__ == "__main__":
    main()
