"""Floor: a Postgres of our own: made with passwords from the start, on loopback TCP only."""

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg

from maestro.embedded.accounts import Account, give
from maestro.embedded.errors import CannotStart
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program, start_time, tail

SUPERUSER = "maestro"
# Dropping or dumping a schema locks each of its objects; the default of 64 is too few.
SETTINGS = {"max_locks_per_transaction": "512", "max_connections": "100", "shared_buffers": "64MB"}


@dataclass(frozen=True)
class Cluster:
    """Where one Postgres lives and how it is reached."""

    programs: Path
    data: Path
    port: int
    password: str
    account: Account | None

    def dsn(self, user: str, password: str, database: str) -> str:
        """Return a connection address. Generated passwords need no quoting."""
        return f"postgresql://{user}:{password}@{HOST}:{self.port}/{database}"

    def superuser_dsn(self, database: str = "postgres") -> str:
        """Return the address for operators and for `ensure_roles`, never for the application."""
        return self.dsn(SUPERUSER, self.password, database)

    def environment(self) -> dict[str, str]:
        """Return all that Postgres is told: our own environment is none of its business."""
        return {"PATH": os.defpath, "HOME": str(self.data), "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def exists(self) -> bool:
        """True if initdb finished here once: the folder gets its name only then."""
        return (self.data / "PG_VERSION").exists()


def create(cluster: Cluster, log: Path, run: Callable[[Program], int]) -> None:
    """Make the data folder. `run` runs a program to its end; an interrupted one leaves no trace."""
    partial = cluster.data.with_name(f"{cluster.data.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(mode=0o700)
    password_file = partial.with_name(f"{partial.name}.password")
    password_file.touch(mode=0o600)
    password_file.write_text(cluster.password)
    give(partial, cluster.account)
    give(password_file, cluster.account)
    command = [str(cluster.programs / "initdb"), "-D", str(partial), "-U", SUPERUSER]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    program = Program("initdb", command, log, cluster.environment(), account=cluster.account)
    try:
        code = run(program)
    finally:
        password_file.unlink(missing_ok=True)
    if code != 0:
        raise CannotStart(f"Postgres cannot make its data folder: {' / '.join(tail(log, 3))} (log: {log})")
    partial.rename(cluster.data)


def program(cluster: Cluster, log: Path, *, settings: dict[str, str], name: str = "postgres") -> Program:
    """Return the server as a program to supervise."""
    check_version(cluster)
    told = SETTINGS | settings | {"listen_addresses": HOST, "unix_socket_directories": ""}
    options = [part for key, value in told.items() for part in ("-c", f"{key}={value}")]
    return Program(
        name=name,
        command=[str(cluster.programs / "postgres"), "-D", str(cluster.data), "-p", str(cluster.port), *options],
        log=log,
        environment=cluster.environment(),
        is_ready=lambda: accepts(cluster),
        account=cluster.account,
        # "Fast": end sessions, write everything, leave.
        stop_signal=signal.SIGINT,
        stop_seconds=20,
        orphan_signal=signal.SIGINT,
        note=f" on {HOST}:{cluster.port}",
    )


def accepts(cluster: Cluster) -> bool:
    """True if a session can be opened."""
    try:
        with psycopg.connect(cluster.superuser_dsn(), connect_timeout=2):
            return True
    except psycopg.OperationalError as problem:
        if "password authentication failed" in str(problem):
            raise CannotStart(
                "The database was made with other secrets than those in .maestro: `make demo-reset` begins anew."
            ) from problem
        return False


def check_owner(cluster: Cluster) -> None:
    """Raise CannotStart if another user made the data folder: Postgres insists on its own."""
    ours = cluster.account.uid if cluster.account else os.geteuid()
    theirs = cluster.data.stat().st_uid
    if ours != theirs:
        raise CannotStart(
            f"{cluster.data} was made by another user (id {theirs}): run as that user again, "
            "or begin anew with `make demo-reset`."
        )


def check_version(cluster: Cluster) -> None:
    """Raise CannotStart if another major version made the data folder."""
    made_by = (cluster.data / "PG_VERSION").read_text().strip()
    control = next(cluster.programs.parent.rglob("postgres.bki"), None)
    if control is None:
        return
    ours = control.read_text().split("\n", 1)[0].removeprefix("# PostgreSQL ").strip()
    if made_by != ours:
        raise CannotStart(
            f"The data in {cluster.data} is of Postgres {made_by}, the installed one is {ours}: "
            "dump it with the old version first, or begin anew with `make demo-reset`."
        )


def clear_stale_lock(cluster: Cluster) -> None:
    """Remove postmaster.pid if its process is not a Postgres on this folder: the pid was used again."""
    lock = cluster.data / "postmaster.pid"
    try:
        pid = int(lock.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return
    if start_time(pid) is not None:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if str(cluster.data).encode() in words:
            raise CannotStart(f"Another Postgres (process {pid}) uses {cluster.data}: end it first.")
    lock.unlink(missing_ok=True)
