"""The bench's own: where and when something was measured, and the project's commands."""

import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("django", "granian", "psycopg")


def read_env(home: Path) -> dict[str, str]:
    """Read the addresses of the embedded servers. Ends the program if none were started there."""
    try:
        lines = (home / "server.env").read_text().splitlines()
    except FileNotFoundError:
        start = f"MAESTRO_HOME={home} .venv/bin/python -m maestro.embedded servers"
        raise SystemExit(f"bench: no servers in {home}; start them with `{start}`") from None
    return dict(line.partition("=")[::2] for line in lines if "=" in line)


def postmaster(home: Path) -> int:
    """Find the process that all of Postgres's sessions come from."""
    elsewhere = home / "elsewhere"
    folder = Path(elsewhere.read_text().strip()) if elsewhere.exists() else home
    return int((folder / "postgres" / "postmaster.pid").read_text().split()[0])


def manage(*arguments: str, or_code: int = 0, settings: dict[str, str] | None = None) -> dict[str, Any]:
    """Run one of our commands; `or_code` is an exit code that will do as well."""
    command = [sys.executable, str(ROOT / "manage.py"), *arguments, "--output", "json"]
    surroundings = os.environ | (settings or {})
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=surroundings)
    if done.returncode not in {0, or_code}:
        raise SystemExit(f"bench: {' '.join(arguments)} failed: {done.stderr.strip().splitlines()[-1:]}")
    return dict(json.loads(done.stdout)) if done.returncode == 0 else {}


def versions() -> str:
    """Name the versions of what serves."""
    found = [f"Python {platform.python_version()}"]
    for package in PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            found.append(f"{package} missing")
    return ", ".join(found)


def describe(load_before: float) -> Iterator[str]:
    """Describe the machine, the moment and the commit as lines of a list."""
    cpu = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "unknown")
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, capture_output=True, text=True, check=False, cwd=ROOT).stdout.strip()
    changed = subprocess.run(["git", "status", "--porcelain"], capture_output=True, text=True, check=False, cwd=ROOT)
    dirty = " with changes that are not committed" if changed.stdout.strip() else ""
    yield f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, commit {commit}{dirty}"
    yield f"- {os.cpu_count()} cores,{cpu.partition(':')[2]}, Linux {platform.release()}, {versions()}"
    load_after = os.getloadavg()[0]
    busy = "; the machine was shared with other work" if load_before > 1.5 else ""
    yield f"- load average over one minute: {load_before:.1f} before, {load_after:.1f} after (the bench itself makes 1 to 3){busy}"
