"""Floor: `make demo`: everything on this machine, one tenant, real history, and one screen at the end."""

import hashlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from maestro.embedded.errors import TookTooLong
from maestro.embedded.home import Home, write_env, write_private
from maestro.embedded.processes import Program
from maestro.embedded.programs.web import Project, ask, last_line, project_environment
from maestro.embedded.servers import start_servers
from maestro.embedded.supervisor import PROJECT, Supervisor
from maestro.embedded.terminal import Progress, say, show

TENANT = "demo"
PERSON = "admin"
LOADER = PROJECT / "bench" / "history" / "load_history.py"
HISTORY = LOADER.with_name("history.jsonl.gz")
LOAD_SECONDS = 1_800.0
TRAIN_SECONDS = 1_200.0
TRAININGS = "/api/v1/trainings/"

SCREEN = """
  Maestro is ready:  {admin_url}

    user      {user}
    password  {password}   (new at each start; change it under your name)
    API key   {token}

  Three things to try
    1. Sign in and open Impact: what goes with success in the history, and how sure that is.
    2. Track a run with the stock client, in another terminal:
         make tour
    3. Ask the API:
         . {demo_env}; curl -H "Authorization: Bearer $MAESTRO_TOKEN" $MAESTRO_URL/api/v1/projects/

  Operators have an admin of their own, {url}/admin/: `.venv/bin/python manage.py add_operator --username root`.
  {user}, password and key are also in {demo_env}; logs are in {logs}.
  Ctrl-C ends everything; the data stays for the next start. `make demo-reset` deletes it.
"""


@dataclass
class Done:
    """What earlier starts of this demo finished."""

    key: str = ""
    history: str = ""
    trained: str = ""


class Follow:
    """Asks the API how far a training is, once a second, and says so."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self.port, self.path, self.token = port, path, token
        self.progress = Progress()
        self.next = 0.0

    def ended(self) -> dict[str, Any] | None:
        """Return the training when it is over; None while it is not, or while nobody answers."""
        if time.monotonic() < self.next:
            return None
        self.next = time.monotonic() + 1
        status, training = ask(self.port, self.path, self.token)
        if status != 200:
            return None
        if training["state"] in ("done", "failed"):
            return dict(training)
        self.progress.note(f"training: {training['percent']} %  {training['step'] or 'waiting for the worker'}")
        return None


class Demo:
    """One start of the demo."""

    def __init__(self, home: Home, supervisor: Supervisor, port: int, *, empty: bool = False) -> None:
        self.home = home
        self.empty = empty
        self.supervisor = supervisor
        self.port = port
        self.state = home.folder / "demo.json"
        self.done = self.read_state()

    def run(self) -> None:
        """Bring everything up, fill it, show the screen, and stay until asked to end."""
        # It names a key that works, so it is there from then on: who is quick meets a demo that still fills.
        self.home.demo_env.unlink(missing_ok=True)
        addresses = start_servers(self.home, self.supervisor)
        project = Project(self.home, project_environment(self.home, addresses), self.port)
        # The web server reads its code while the tables are made; it answers 503 until they are.
        web = self.supervisor.launch(project.web())
        say("making or updating the tables")
        project.manage(self.supervisor, "migrate_tenants", "--ensure-tenant", TENANT)
        self.supervisor.await_ready(web)
        say(f"first page: {self.admin_url}")
        password = self.fresh_password(project)
        say(f"sign in as {PERSON} with the password {password}")
        token = self.working_key(project)
        self.write_addresses(password, token)
        self.supervisor.start(project.worker())
        self.supervisor.start(project.beat())
        if not self.empty:
            self.fill(project, token)
        self.finish(password, token)
        self.supervisor.forever()

    # -- who may enter -----------------------------------------------------------------------------

    def fresh_password(self, project: Project) -> str:
        """Make the demo's person, or give them a new password: the old one was shown once."""
        options = ["--tenant", TENANT, "--username", PERSON, "--role", "admin"]
        return str(project.manage(self.supervisor, "add_person", *options)["password"])

    def working_key(self, project: Project) -> str:
        """Return the key of the last start while it works, so that scripts go on; else a new one."""
        if self.done.key and ask(self.port, "/api/v1/projects/", self.done.key)[0] == 200:
            return self.done.key
        options = ["--tenant", TENANT, "--role", "admin", "--name", "make demo"]
        self.done.key = str(project.manage(self.supervisor, "issue_key", *options)["key"])
        self.write_state()
        return self.done.key

    # -- what is in it -----------------------------------------------------------------------------

    def fill(self, project: Project, token: str) -> None:
        """Load the history through the public API and have it learnt from, once for each history."""
        if not HISTORY.exists():
            say(f"no history to load: {shortest(HISTORY)} is not here")
            return
        digest = history_digest()
        if self.done.history != digest:
            if not self.load(project, token):
                return
            self.done.history = digest
            self.write_state()
        if self.done.trained != digest and self.train(token):
            self.done.trained = digest
            self.write_state()

    def load(self, project: Project, token: str) -> bool:
        """Load the history as any client would. A failure is said, and does not end the demo."""
        say("loading the history of real trainings through the API")
        log, progress = self.home.log("history"), Progress()
        # Not as an argument: every user of the machine can read a command line.
        environment = project.environment | {"MAESTRO_URL": self.url, "MAESTRO_TOKEN": token}
        program = Program(
            name="step-history",
            command=[sys.executable, str(LOADER), "--progress"],
            log=log,
            environment=environment,
            folder=PROJECT,
            stop_seconds=3,
        )
        code = self.supervisor.run_program(program, seconds=LOAD_SECONDS, on_tick=lambda: progress.note(last_line(log)))
        say(last_line(log) if code == 0 else f"the history could not be loaded: {last_line(log)} (log: {log})")
        return code == 0

    def train(self, token: str) -> bool:
        """Ask for a training as any client would, and wait until the worker did it. A failure is only said."""
        status, training = ask(self.port, TRAININGS, token, body={})
        if status != 202:
            say(f"no training could be asked for: the API answered {status}")
            return False
        say("the worker learns from the history")
        follow = Follow(self.port, f"{TRAININGS}{training['id']}/", token)
        try:
            ended = self.supervisor.wait(follow.ended, seconds=TRAIN_SECONDS)
        except TookTooLong:
            say("the training still runs; the admin shows how far it is")
            return False
        if ended["state"] != "done":
            say(f"the training failed: {ended['reason']} (log: {self.home.log('worker')})")
            return False
        say(f"learnt from the history, {(ended['fit_ms'] or 0) / 1000:.1f} s of fitting")
        return True

    # -- the end -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base host: the API, by key."""
        return f"http://localhost:{self.port}"

    @property
    def admin_url(self) -> str:
        """The tenant's host: the admin, for people."""
        return f"http://{TENANT}.localhost:{self.port}/admin/"

    def write_addresses(self, password: str, token: str) -> None:
        """Write demo.env, which docs and scripts read."""
        values = {
            "MAESTRO_URL": self.url,
            "MAESTRO_TOKEN": token,
            "MAESTRO_ADMIN_URL": self.admin_url,
            "MAESTRO_USER": PERSON,
            "MAESTRO_PASSWORD": password,
        }
        write_env(self.home.demo_env, values)

    def finish(self, password: str, token: str) -> None:
        """Show the screen."""
        show(
            SCREEN.format(
                admin_url=self.admin_url,
                url=self.url,
                user=PERSON,
                password=password,
                token=token,
                demo_env=shortest(self.home.demo_env),
                logs=shortest(self.home.folder / "log"),
            )
        )

    def read_state(self) -> Done:
        """Return what is finished; nothing, if the note is missing or damaged."""
        try:
            return Done(**json.loads(self.state.read_text()))
        except (OSError, ValueError, TypeError):
            return Done()

    def write_state(self) -> None:
        """Note what is finished."""
        write_private(self.state, json.dumps(asdict(self.done)))


def history_digest() -> str:
    """Name the history by its content: another one is loaded and learnt anew."""
    return hashlib.sha256(HISTORY.read_bytes()).hexdigest()


def shortest(path: Path) -> str:
    """Return a path as a person in the project's folder types it."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
