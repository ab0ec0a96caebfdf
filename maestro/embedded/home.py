"""Floor: the folder that the embedded servers live in: secrets, logs, pid files, addresses, data."""

import fcntl
import json
import os
import secrets
import shutil
import tempfile
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

from maestro.embedded.accounts import Account, give
from maestro.embedded.errors import CannotStart
from maestro.embedded.supervisor import PROJECT

# Where servers keep their data when we are root and their user cannot enter the project's folder.
SYSTEM_DATA = Path("/var/lib")
NEEDED_BYTES = 500 * 1024 * 1024
LONGEST_LOG_BYTES = 10 * 1024 * 1024


@dataclass(frozen=True)
class Secrets:
    """Every password and key of one home. Made at random on first use; there are no defaults."""

    postgres: str
    owner: str
    app: str
    valkey: str
    secret_key: str
    key_pepper: str
    metrics_token: str

    @classmethod
    def generate(cls) -> Self:
        """Return new ones: 43 characters each, safe in addresses and settings files."""
        return cls(**{field.name: secrets.token_urlsafe(32) for field in fields(cls)})


class Home:
    """One `.maestro` folder. Its lock says that somebody runs the servers in it."""

    def __init__(self, folder: Path, account: Account | None) -> None:
        self.folder = folder
        self.account = account
        self.lock: int | None = None

    @classmethod
    def default_folder(cls) -> Path:
        """Return MAESTRO_HOME, else `.maestro` in the project."""
        named = os.environ.get("MAESTRO_HOME", "").strip()
        return Path(named).expanduser().resolve() if named else PROJECT / ".maestro"

    # -- what is in it ---------------------------------------------------------------------------

    @property
    def run(self) -> Path:
        """Pid files."""
        return self.folder / "run"

    @property
    def storage(self) -> Path:
        """Artifacts of the demo, on local disk."""
        return self.folder / "storage"

    @property
    def server_env(self) -> Path:
        """Addresses and secrets of the running servers, for manage.py."""
        return self.folder / "server.env"

    @property
    def demo_env(self) -> Path:
        """Address, key and password of the demo, for people and scripts."""
        return self.folder / "demo.env"

    def log(self, name: str) -> Path:
        """Return a server's log file."""
        return self.folder / "log" / f"{name}.log"

    @property
    def data(self) -> Path:
        """Where the servers' data is: here, or elsewhere if their user cannot get here."""
        try:
            return Path((self.folder / "elsewhere").read_text().strip())
        except FileNotFoundError:
            return self.folder

    # -- making it -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make the folders. Raises CannotStart if the disk or its permissions do not allow it."""
        # The servers' user passes through when we are root; what is inside is closed to it.
        mode = 0o711 if self.account else 0o700
        try:
            self.folder.mkdir(mode=mode, parents=True, exist_ok=True)
            self.folder.chmod(mode)
            for folder in (self.run, self.storage, self.folder / "log", self.folder / "static"):
                folder.mkdir(mode=0o700, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder):
                pass
        except OSError as problem:
            raise CannotStart(f"Cannot write to {self.folder}: {problem.strerror}.") from problem
        free = shutil.disk_usage(self.folder).free
        if free < NEEDED_BYTES:
            raise CannotStart(
                f"The disk of {self.folder} has {free >> 20} MB left; the servers need {NEEDED_BYTES >> 20} MB."
            )

    def trim_logs(self) -> None:
        """Begin logs anew that have grown long; nothing writes to them now."""
        for log in (self.folder / "log").glob("*.log"):
            if log.stat().st_size > LONGEST_LOG_BYTES:
                os.truncate(log, 0)

    def choose_data_folder(self) -> None:
        """Settle, on first use, where the servers' user can keep its data."""
        if self.account is None or (self.folder / "elsewhere").exists():
            return
        if self.account.can_read(self.folder / "."):
            return
        if self.passable():
            return
        SYSTEM_DATA.mkdir(exist_ok=True)
        elsewhere = Path(tempfile.mkdtemp(prefix="maestro-", dir=SYSTEM_DATA))
        elsewhere.chmod(0o711)
        write_private(self.folder / "elsewhere", f"{elsewhere}\n")

    def passable(self) -> bool:
        """True if the servers' user can work in a folder that is its own inside this one."""
        probe = Path(tempfile.mkdtemp(prefix="probe-", dir=self.folder))
        try:
            give(probe, self.account)
            return self.account is None or self.account.can_read(probe)
        finally:
            probe.rmdir()

    def acquire(self) -> None:
        """Take the lock. The kernel drops it when we die, so a stale one cannot be."""
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            os.close(handle)
            raise CannotStart(
                f"The servers of {self.folder} already run (process {self.owner() or 'unknown'}): "
                "`make demo-stop` ends them."
            ) from problem
        os.ftruncate(handle, 0)
        os.write(handle, f"{os.getpid()}\n".encode())
        self.lock = handle

    def release(self) -> None:
        """Give the lock back."""
        if self.lock is not None:
            os.ftruncate(self.lock, 0)
            os.close(self.lock)
            self.lock = None

    def owner(self) -> int | None:
        """Return who holds the lock, or None if nobody does."""
        try:
            handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(handle, 32).decode().strip()
            return int(text) if text.isdigit() else None
        finally:
            os.close(handle)
        return None

    def secrets(self) -> Secrets:
        """Return this home's secrets, made on first use."""
        path = self.folder / "secrets.json"
        try:
            known = json.loads(path.read_text()) if path.exists() else {}
            # One that an earlier version did not have is made now; the others stay.
            whole = Secrets(**asdict(Secrets.generate()) | known)
        except (ValueError, TypeError) as problem:
            raise CannotStart(f"{path} is damaged: `make demo-reset` begins anew.") from problem
        if asdict(whole) != known:
            write_private(path, json.dumps(asdict(whole), indent=2) + "\n")
        return whole

    def remove(self) -> None:
        """Delete everything, the servers' data too. The lock must be ours."""
        if self.data != self.folder:
            shutil.rmtree(self.data, ignore_errors=True)
        shutil.rmtree(self.folder)


def write_private(path: Path, text: str) -> None:
    """Write a file that only we can read, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "w") as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    partial.rename(path)


def write_env(path: Path, values: dict[str, str]) -> None:
    """Write KEY=VALUE lines, readable by us alone."""
    write_private(path, "".join(f"{key}={value}\n" for key, value in values.items()))


def read_env(path: Path) -> dict[str, str]:
    """Read KEY=VALUE lines; a file that is not there has none."""
    try:
        lines = path.read_text().splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return {key.strip(): value.strip() for key, value in pairs}
