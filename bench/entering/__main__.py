"""`python -m bench.entering`: what authentication and tenancy add to a request, in CPU.

It starts servers of its own, makes two tenants, and lets requests in as the web server does: limits by address and key,
the tenant by key, the session moved to its schema and role, the key checked, the role compared. Beside it the same requests
are made and not let in; the difference is the cost. Keys are kept for 5 s, so most requests find theirs in memory.

Units  milliseconds of CPU a request: this process, its Postgres session, Valkey
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests import servers
from tests.web import ROOT, environment, issue_key, manage

SLUGS = ("enter-one", "enter-two")
DATABASE = "maestro_entering"


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=5000, help="requests a round (5000)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds, of which the median is told (3)")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="maestro-entering-") as home:
        servers.start_postgres()
        servers.create_database(DATABASE)
        values = environment(DATABASE, Path(home) / "bytes") | {"PYTHONPATH": str(ROOT)}
        # Limits as large as these requests need, still counted.
        values |= {"MAESTRO_RATE_KEY": "1000000", "MAESTRO_RATE_ADDRESS": "1000000", "MAESTRO_RATE_REFUSED": "600"}
        manage(values, "migrate_tenants", *(word for slug in SLUGS for word in ("--ensure-tenant", slug)))
        keys = [issue_key(values, slug) for slug in SLUGS]
        sizes = [str(asked.requests), str(asked.rounds), DATABASE, values["MAESTRO_REDIS_URL"]]
        command = [sys.executable, "-m", "bench.entering.loop", *sizes, *keys]
        return subprocess.run(command, cwd=ROOT, env={**values, "PATH": "/usr/bin:/bin"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
