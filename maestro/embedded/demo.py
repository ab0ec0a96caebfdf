"""Floor: `make demo`: everything on this machine, one tenant, real history, and one screen at the end."""

import hashlib
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from maestro.embedded.home import Home, read_env, write_env, write_private
from maestro.embedded.processes import Program, tail
from maestro.embedded.servers import start_servers
from maestro.embedded.supervisor import PROJECT, Supervisor
from maestro.embedded.terminal import Progress, say, show
from maestro.embedded.web import Project, ask, project_environment

TENANT = "demo"
PERSON = "admin"
LOADER = PROJECT / "bench" / "history" / "load_history.py"
LOAD_SECONDS = 1_800.0
TRAIN_SECONDS = 600.0

SCREEN = """
  Maestro is ready:  {admin_url}

    user      {user}
    password  {password}   (new at each start; change it under your name)
    API key   {token}

  Three things to try
    1. Sign in and open Advice: what moved success in the history, and how sure that is.
    2. Track a run with the stock client, in another terminal:
         set -a; . {demo_env}; set +a
         MLFLOW_TRACKING_URI=$MAESTRO_URL MLFLOW_TRACKING_TOKEN=$MAESTRO_TOKEN .venv/bin/python docs/tour.py
    3. Ask the API:
         curl -H "Authorization: Bearer $MAESTRO_TOKEN" $MAESTRO_URL/api/v1/projects/

  {user}, password and key are also in {demo_env}; logs are in {logs}.
  Ctrl-C ends everything; the data stays for the next start. `make demo-reset` deletes it.
"""


@dataclass
class Done:
    """What earlier starts of this demo finished."""

    history: str = ""
    trained: str = ""


class Demo:
    """One start of the demo."""

    def __init__(self, home: Home, supervisor: Supervisor, port: int) -> None:
        self.home = home
        self.supervisor = supervisor
        self.port = port
        self.state = home.folder / "demo.json"
        self.done = self.read_state()

    def run(self) -> None:
        """Bring everything up, fill it, show the screen, and stay until asked to end."""
        addresses = start_servers(self.home, self.supervisor)
        project = Project(self.home, project_environment(self.home, addresses), self.port)
        # The web server reads its code while the tables are made; it answers 503 until they are.
        web = self.supervisor.launch(project.web())
        project.manage(self.supervisor, "migrate_tenants")
        project.manage(self.supervisor, "create_tenant", TENANT, "--if-missing")
        self.supervisor.await_ready(web)
        say(f"first page: {self.admin_url} (the user's password follows)")
        self.supervisor.start(project.worker())
        self.supervisor.start(project.beat())
        password = self.fresh_password(project)
        token = self.working_key(project)
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
        known = read_env(self.home.demo_env).get("MAESTRO_TOKEN", "")
        if known and ask(self.port, "/api/v1/projects/", known)[0] == 200:
            return known
        options = ["--tenant", TENANT, "--role", "admin", "--name", "make demo"]
        return str(project.manage(self.supervisor, "issue_key", *options)["key"])

    # -- what is in it -----------------------------------------------------------------------------

    def fill(self, project: Project, token: str) -> None:
        """Load the history through the public API and have it learnt from, once for each history."""
        if not LOADER.exists():
            say("no history to load: bench/history/load_history.py is not here")
            return
        digest = history_digest()
        if self.done.history != digest:
            if not self.load(project, token):
                return
            self.done.history = digest
            self.write_state()
        if self.done.trained != digest and self.train(project, token):
            self.done.trained = digest
            self.write_state()

    def load(self, project: Project, token: str) -> bool:
        """Load the history as any client would. A failure is said, and does not end the demo."""
        say("loading the history of real trainings through the API")
        log, progress = self.home.log("history"), Progress()
        environment = project.environment | {"MAESTRO_TOKEN": token}
        program = Program(
            name="step-history",
            command=[sys.executable, str(LOADER), "--url", self.url, "--token", token],
            log=log,
            environment=environment,
            folder=PROJECT,
            stop_seconds=3,
        )
        code = self.supervisor.run_program(
            program, seconds=LOAD_SECONDS, on_tick=lambda: progress.note("".join(tail(log, 1)))
        )
        last = "".join(tail(log, 1))
        say(last if code == 0 else f"the history could not be loaded: {last} (log: {log})")
        return code == 0

    def train(self, project: Project, token: str) -> bool:
        """Have the worker train, and wait for the result."""
        say("training is not there yet")
        return False

    # -- the end -----------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The base host: the API, by key."""
        return f"http://localhost:{self.port}"

    @property
    def admin_url(self) -> str:
        """The tenant's host: the admin, for people."""
        return f"http://{TENANT}.localhost:{self.port}/admin/"

    def finish(self, password: str, token: str) -> None:
        """Write demo.env, which docs and scripts read, and show the screen."""
        values = {
            "MAESTRO_URL": self.url,
            "MAESTRO_TOKEN": token,
            "MAESTRO_ADMIN_URL": self.admin_url,
            "MAESTRO_USER": PERSON,
            "MAESTRO_PASSWORD": password,
        }
        write_env(self.home.demo_env, values)
        show(
            SCREEN.format(
                admin_url=self.admin_url,
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
    """Name the history by the content of its files: another one is loaded and learnt anew."""
    digest = hashlib.sha256()
    for path in sorted(LOADER.parent.glob("history*")):
        if path.is_file():
            digest.update(path.read_bytes())
    return digest.hexdigest()


def shortest(path: Path) -> str:
    """Return a path as a person in the project's folder types it."""
    return str(path.relative_to(PROJECT)) if path.is_relative_to(PROJECT) else str(path)
