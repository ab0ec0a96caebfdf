"""`python -m bench.search`: how often the first five of a search hold an answer, by several ways, on the judged queries.

It starts a database of its own, makes a tenant and fills it. Writes bench/results/search.md.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.load import machine
from tests import servers
from tests.web import ROOT, environment, manage

DATABASE, TENANT = "maestro_search", "search"


def main() -> int:
    """Start what is needed, and the process that measures."""
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory(prefix="maestro-search-") as home:
        servers.start_postgres()
        servers.create_database(DATABASE)
        values = environment(DATABASE, Path(home) / "bytes") | {"PYTHONPATH": str(ROOT)}
        manage(values, "migrate_tenants", "--ensure-tenant", TENANT)
        command = [sys.executable, "-m", "bench.search.loop", TENANT]
        done = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **values}, check=False, capture_output=True, text=True
        )
    print(done.stderr, file=sys.stderr)
    if done.returncode == 0:
        lines = ["# Finding artifacts", "", "Written by `python -m bench.search`.", "", *machine.describe(load), ""]
        (machine.ROOT / "bench" / "results" / "search.md").write_text("\n".join(lines) + done.stdout)
        print(done.stdout)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
