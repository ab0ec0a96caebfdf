"""Floor: a server's process: start it so that it cannot outlive us, find it again, end it."""

import ctypes
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from maestro.embedded.accounts import Account

PR_SET_PDEATHSIG = 1
# Loaded once here: between fork and exec is no time to open a library.
LIBC = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Program:
    """What to run, as whom, and how to know that it is up and how to end it."""

    name: str
    command: list[str]
    log: Path
    environment: Mapping[str, str]
    is_ready: Callable[[], bool] = lambda: True
    folder: Path = Path("/")
    account: Account | None = None
    ready_seconds: float = 60
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 10
    # True for those that need not wait for each other's end.
    ends_together: bool = False
    # The kernel sends this if we are killed with no chance to clean up; None: this one outlives us.
    orphan_signal: int | None = signal.SIGTERM
    # Files that it makes outside its folder and does not remove itself.
    litter: tuple[str, ...] = ()
    # Where its answer goes, if that is not for the log.
    output: Path | None = None
    note: str = ""


@dataclass(frozen=True)
class Record:
    """A process as written to disk. Pid and start time together name it, as pids are used again."""

    name: str
    pid: int
    started: str
    stop_signal: int
    litter: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return the record in a pid file, or None if it is gone or was cut short."""
        try:
            return cls(**json.loads(path.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, folder: Path) -> None:
        """Write the pid file, whole or not at all."""
        partial = folder / f".{self.name}.{os.getpid()}"
        partial.write_text(json.dumps(asdict(self)))
        partial.rename(folder / f"{self.name}.pid")

    def is_alive(self) -> bool:
        """True if that very process still runs."""
        return start_time(self.pid) == self.started


def spawn(program: Program) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own: Ctrl-C reaches us alone, and we end it in order."""
    options: dict[str, Any] = program.account.popen_options() if program.account else {}
    with program.log.open("ab") as log, (program.output or program.log).open("ab") as output:
        return subprocess.Popen(
            program.command,
            cwd=program.folder,
            env=dict(program.environment),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=log,
            start_new_session=True,
            preexec_fn=ask_to_die_with_parent(program.orphan_signal),  # noqa: PLW1509  # no threads
            **options,
        )


def ask_to_die_with_parent(number: int | None) -> Callable[[], None] | None:
    """Return what a child runs before exec: after the change of user, which would clear the wish."""
    if number is None:
        return None
    parent = os.getpid()

    def ask() -> None:
        LIBC.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died while we were being born
            os._exit(1)

    return ask


def record_of(program: Program, pid: int) -> Record:
    """Describe a process that was just started."""
    return Record(
        name=program.name,
        pid=pid,
        started=start_time(pid) or "",
        stop_signal=int(program.stop_signal),
        litter=list(program.litter),
    )


def status_fields(pid: int | str) -> list[str]:
    """Return the fields of /proc/PID/stat from `state` on; empty if there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return []
    return text.rpartition(")")[2].split()


def start_time(pid: int) -> str | None:
    """Return when a process started, in ticks since boot; None if it ended (a zombie has)."""
    fields = status_fields(pid)
    if len(fields) < 20 or fields[0] in "ZX":
        return None
    return fields[19]


def members(session: int) -> list[int]:
    """Return the live processes of a session: what a dead leader may have left behind."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            fields = status_fields(entry)
            if len(fields) > 3 and fields[3] == str(session) and fields[0] not in "ZX":
                found.append(int(entry))
    return found


def send(pid: int, number: int) -> None:
    """Signal a process; fine if it is gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def kill_session(record: Record) -> None:
    """Kill what is left of a process and its children, unless the pid is someone else's by now."""
    if start_time(record.pid) not in (None, record.started):
        return
    for pid in members(record.pid):
        send(pid, signal.SIGKILL)
    for path in record.litter:
        Path(path).unlink(missing_ok=True)


def stop_records(records: list[Record], seconds: float) -> list[str]:
    """End processes of an earlier run: ask all, wait, then kill. Returns the names of those found."""
    found = [record for record in records if record.is_alive() or members_left(record)]
    for record in found:
        if record.is_alive():
            send(record.pid, record.stop_signal)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and any(record.is_alive() for record in found):
        time.sleep(0.05)
    for record in records:
        kill_session(record)
    return [record.name for record in found]


def members_left(record: Record) -> bool:
    """True if the leader is gone but children of it still run."""
    return start_time(record.pid) is None and bool(members(record.pid))


def read_records(folder: Path) -> list[Record]:
    """Return the pid files of a folder; the last started comes first, the order to stop in."""
    records = [Record.read(path) for path in folder.glob("*.pid")]
    known = [record for record in records if record is not None]
    return sorted(known, key=lambda record: int(record.started or 0), reverse=True)


def family(pid: int) -> set[int]:
    """Return a process and all that descend from it; Postgres gives each of its own a session."""
    parents = {int(entry): status_fields(entry) for entry in os.listdir("/proc") if entry.isdigit()}
    found = {pid}
    while True:
        more = {child for child, fields in parents.items() if len(fields) > 1 and int(fields[1]) in found} - found
        if not more:
            return found
        found |= more


def memory_kib(pid: int) -> int:
    """Return the proportional set size of a process and its descendants: shared pages are split."""
    total = 0
    for member in family(pid):
        try:
            lines = Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def tail(log: Path, lines: int = 5) -> list[str]:
    """Return the last lines of a log, for a message about a server that failed."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 8_192))
            text = stream.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-lines:]
