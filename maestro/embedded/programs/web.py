"""Floor: the demo's own processes: web, worker, beat and commands, all with the embedded servers' addresses."""

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maestro.embedded.errors import CannotStart
from maestro.embedded.home import Home
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program, tail
from maestro.embedded.supervisor import PROJECT, Supervisor

# What a person's shell may hold that would send the demo to another database or settings.
FOREIGN = ("MAESTRO_", "DJANGO_", "PROMETHEUS_", "GRANIAN_", "CELERY_", "PYTHON")
WEB_WORKERS, WEB_THREADS, TASK_PROCESSES = 2, 8, 2


@dataclass(frozen=True)
class Project:
    """How to run this project's code beside the embedded servers."""

    home: Home
    environment: dict[str, str]
    port: int

    def web(self) -> Program:
        """Return the web server."""
        command = [sys.executable, "-m", "config.serve", "--host", HOST, "--port", str(self.port)]
        command += ["--workers", str(WEB_WORKERS)]
        command += ["--blocking-threads", str(WEB_THREADS), "--log-level", "warning"]
        # The processes of the web server add up their counters here; those of an earlier run are gone.
        counters = self.home.folder / "metrics"
        shutil.rmtree(counters, ignore_errors=True)
        counters.mkdir(mode=0o700)
        program = self.program("web", command, seconds=120)
        return replace(program, environment=self.environment | {"PROMETHEUS_MULTIPROC_DIR": str(counters)})

    def worker(self) -> Program:
        """Return the task worker. Two processes, so that a long training does not hold up the rest."""
        command = [*celery(), "worker", "--concurrency", str(TASK_PROCESSES), "--loglevel", "INFO"]
        command += ["--without-gossip", "--without-mingle", "--hostname", "demo@localhost"]
        return self.program("worker", command)

    def beat(self) -> Program:
        """Return what sends the scheduled tasks."""
        return self.program("beat", [*celery("config.beat"), "beat", "--loglevel", "INFO", "--pidfile="])

    def program(self, name: str, command: list[str], *, seconds: float = 60) -> Program:
        """Return one of our own programs; it runs as we do, as the code is ours to read."""
        ready = (lambda: answers(self.port)) if name == "web" else (lambda: True)
        return Program(
            name=name,
            command=command,
            log=self.home.log(name),
            environment=self.environment,
            folder=PROJECT,
            is_ready=ready,
            ready_seconds=seconds,
            stop_seconds=10,
            ends_together=True,
        )

    def manage(self, supervisor: Supervisor, *arguments: str) -> dict[str, Any]:
        """Run a management command and return its JSON. Raises CannotStart with its last words."""
        code, answer = self.try_manage(supervisor, *arguments)
        if code != 0:
            log = self.home.log(arguments[0])
            raise CannotStart(f"`manage.py {arguments[0]}` failed: {' / '.join(tail(log, 3))} (log: {log})")
        return answer

    def try_manage(self, supervisor: Supervisor, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Run a management command; return its exit code and its JSON, empty if it failed."""
        log = self.home.log(arguments[0])
        answer = self.home.run / f"{arguments[0]}.json"
        command = [sys.executable, str(PROJECT / "manage.py"), *arguments, "--output", "json"]
        program = Program(
            name=f"step-{arguments[0]}",
            command=command,
            log=log,
            environment=self.environment,
            folder=PROJECT,
            output=answer,
            stop_seconds=3,
        )
        try:
            code = supervisor.run_program(program)
            # A key is printed once, so what it is printed to lives as short as can be.
            return code, json.loads(answer.read_text()) if code == 0 else {}
        except ValueError as problem:
            raise CannotStart(f"`manage.py {arguments[0]}` did not answer in JSON (log: {log})") from problem
        finally:
            answer.unlink(missing_ok=True)


def project_environment(home: Home, addresses: dict[str, str]) -> dict[str, str]:
    """Return our environment without settings of other installations, with the embedded servers' instead."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(FOREIGN)}
    return (
        kept
        | addresses
        | {
            "MAESTRO_HOME": str(home.folder),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONUNBUFFERED": "1",
        }
    )


def last_line(log: Path) -> str:
    """Return what a log says now."""
    return "".join(tail(log, 1)).strip()


def python_script(name: str) -> str:
    """Return a program that a package put beside our python."""
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise CannotStart(f"{name} is missing: `make install` installs it.")
    return str(path)


def celery(app: str = "config") -> list[str]:
    """Return how Celery is called."""
    return [python_script("celery"), "-A", app]


# The machine's proxy settings are not for servers on this machine.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def answers(port: int) -> bool:
    """True if the web server is ready to serve: database reached, migrations at their head."""
    try:
        with DIRECT.open(f"http://{HOST}:{port}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError, ValueError):
        return False


def ask(port: int, path: str, token: str, *, body: dict[str, Any] | None = None) -> tuple[int, Any]:
    """Call the public API as any client would; return the status and the JSON, whatever the status is."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Host": f"localhost:{port}"}
    request = urllib.request.Request(f"http://{HOST}:{port}{path}", data=data, headers=headers)
    try:
        with DIRECT.open(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read() or b"null")
    except urllib.error.HTTPError as refusal:
        return refusal.code, None
    except (urllib.error.URLError, OSError, ValueError):
        return 0, None
