"""The bench's own: a fleet brought to the head: nothing to do, a table, a column; and a kill half-way.

The table and the column belong to a room that only the bench has, so that the product's migrations stay what they are.
"""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench.growth import processes, report
from bench.load import machine, targets

TABLE = "benchextra_note"
# As manage.py does it; settings that build on those of `config` need that package to be imported before them.
MANAGE = "import config, sys; from django.core.management import execute_from_command_line as run; run(sys.argv)"
COLUMN = """SELECT count(*) FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname = %s AND c.relname = 'benchextra_note' AND a.attname = 'colour' AND NOT a.attisdropped"""
FLEET = "SELECT schema_name FROM public.tenants_tenant ORDER BY slug"
HEADS = "SELECT schema_head, count(*) FROM public.tenants_tenant GROUP BY 1"


def surroundings(release: str | None) -> dict[str, str]:
    """The environment of a release: the product as it is, or with the bench's room in its first or second release."""
    if release is None:
        return {}
    return {"DJANGO_SETTINGS_MODULE": "bench.growth.settings", "MAESTRO_BENCH_RELEASE": release}


def command() -> list[str]:
    """Write the command that is measured."""
    return [sys.executable, "-c", MANAGE, "migrate_tenants", "--output", "json"]


def timed(release: str | None, postgres: int) -> dict[str, Any]:
    """Run it; seconds on the clock, CPU of it and of Postgres, and what it says."""
    before, begun = (os.times(), processes.cpu_seconds(postgres)), time.perf_counter()
    environment = os.environ | surroundings(release)
    done = subprocess.run(command(), capture_output=True, text=True, check=False, cwd=machine.ROOT, env=environment)
    if done.returncode:
        raise SystemExit(f"bench: migrate_tenants failed: {done.stderr.strip().splitlines()[-3:]}")
    said = json.loads(done.stdout)
    wall, after = time.perf_counter() - begun, os.times()
    own = after.children_user + after.children_system - before[0].children_user - before[0].children_system
    return {
        "seconds": wall,
        "own": own,
        "pg": processes.cpu_seconds(postgres) - before[1],
        "migrated": said["migrated"],
    }


def clear(owner_dsn: str) -> int:
    """Take the bench's room out of every tenant again; returns how many tenants there are."""
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        fleet = [row[0] for row in owner.execute(FLEET)]
        for schema in fleet:
            owner.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, TABLE)))
            rows = sql.SQL("DELETE FROM {} WHERE app = 'benchextra'")
            owner.execute(rows.format(sql.Identifier(schema, "django_migrations")))
        owner.execute("UPDATE public.tenants_tenant SET schema_head = '' WHERE schema_head <> ''")
    return len(fleet)


def state_of(owner_dsn: str) -> dict[str, list[str]]:
    """Sort the tenants: the column and its bookkeeping both there, both not, or one without the other."""
    found: dict[str, list[str]] = {"new": [], "old": [], "torn": []}
    with psycopg.connect(owner_dsn) as owner:
        for (schema,) in owner.execute(FLEET).fetchall():
            (has_column,) = owner.execute(COLUMN, [schema]).fetchone() or (0,)
            noted = sql.SQL("SELECT count(*) FROM {} WHERE app = 'benchextra' AND name = '0002_colour'")
            row = owner.execute(noted.format(sql.Identifier(schema, "django_migrations"))).fetchone() or (0,)
            found["torn" if has_column != row[0] else "new" if has_column else "old"].append(schema)
    return found


def kill_half_way(owner_dsn: str, fleet: int) -> float:
    """Begin the second release, and kill it with SIGKILL when half of the tenants have it; returns after how long."""
    begun = time.perf_counter()
    process = subprocess.Popen(
        command(),
        cwd=machine.ROOT,
        env=os.environ | surroundings("second"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with psycopg.connect(owner_dsn, autocommit=True) as owner:
        old = dict(owner.execute(HEADS).fetchall())
        while process.poll() is None:
            now = dict(owner.execute(HEADS).fetchall())
            if sum(count for head, count in now.items() if head not in old) >= fleet // 2:
                break
            time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    return time.perf_counter() - begun


def answers_of(home: Path, port: int, schemas: Sequence[str]) -> list[int]:
    """Ask a server of the second release for the sign-in page of some tenants; their statuses."""
    url, log = f"http://127.0.0.1:{port}", home / "log" / "bench.log"
    found = []
    with targets.started(targets.serving(port, 1), f"{url}/livez", surroundings("second"), log):
        for schema in schemas:
            client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            client.request("GET", "/admin/login/", headers={"Host": f"{schema.replace('_', '-')}.localhost"})
            found.append(client.getresponse().status)
            client.close()
    return found


def measure(home: Path, port: int, steps: Sequence[int]) -> None:
    """Measure and write the section."""
    load_before, postgres = os.getloadavg()[0], machine.postmaster(home)
    dsn = machine.read_env(home)["MAESTRO_OWNER_DATABASE_URL"]
    fleet = clear(dsn)
    rows = []

    def note(what: str, release: str | None) -> None:
        found = timed(release, postgres)
        print(f"bench: {what}: {json.dumps(found)}", flush=True)
        each = 1000 * found["seconds"] / max(found["migrated"], 1)
        rows.append([what, found["migrated"], found["seconds"], each, found["own"], found["pg"]])

    note("heads written anew, nothing to run", None)
    note("no-op", None)
    note("a new table, with permissions", "first")
    note("no-op after it", "first")
    took = kill_half_way(dsn, fleet)
    torn = state_of(dsn)
    asked = [*torn["new"][:1], *torn["old"][:1]]
    statuses = answers_of(home, port, asked)
    note("a new column, the rest after the kill", "second")
    after = state_of(dsn)
    clear(dsn)
    note("back to the product's own head", None)
    lines = ["`python -m bench.growth migrate`, on the tenants that `tenants` made", "", *machine.describe(load_before)]
    lines += [f"- {fleet:,} tenants; seconds include the command's own start and the public schema", ""]
    lines += report.table(
        ["`migrate_tenants`", "tenants migrated", "seconds", "ms a tenant", "CPU s: command", "CPU s: Postgres"], rows
    )
    lines += [
        "",
        f"Killed with SIGKILL after {took:.1f} s: {len(torn['new'])} tenants new, {len(torn['old'])} old, {len(torn['torn'])} torn.",
    ]
    lines += [
        f"A server of the new release answers {statuses} to a new and to an old tenant. After the rerun: {len(after['new'])} new, "
        f"{len(after['old'])} old, {len(after['torn'])} torn."
    ]
    report.put("migrate", lines)
