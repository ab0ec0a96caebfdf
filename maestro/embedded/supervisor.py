"""Floor: start servers in order, keep them up, end them in reverse order, leave nothing."""

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TypeVar

from maestro.embedded import parents
from maestro.embedded.errors import CannotStart, Stopped, TookTooLong
from maestro.embedded.processes import (
    Program,
    Record,
    kill_session,
    read_records,
    record_of,
    send,
    spawn,
    stop_records,
    tail,
)

T = TypeVar("T")

PROJECT = Path(__file__).resolve().parents[2]
LONGEST_PAUSE = 30.0
STEADY_SECONDS = 60.0
GIVE_UP_AFTER = 6
LEFTOVER_SECONDS = 10.0


@dataclass
class Child:
    """A program and the process that runs it now."""

    program: Program
    process: subprocess.Popen[bytes]
    record: Record
    since: float
    failures: int = 0
    restart_at: float | None = None


class Supervisor:
    """The parent of every server. One thread; whoever waits, waits in `wait`, which looks after all."""

    def __init__(self, run_folder: Path, say: Callable[[str], None], *, watch_parent: bool = False) -> None:
        self.run_folder = run_folder
        self.say = say
        self.children: list[Child] = []
        self.parent = os.getppid() if watch_parent else None
        self.asked_to_stop = 0
        self.wake: int | None = None

    # -- signals -------------------------------------------------------------------------------

    def listen(self) -> None:
        """Handle Ctrl-C, SIGTERM and a closed terminal; wake up when a child ends. Main thread only."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self.ask_to_stop)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        self.wake, write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(write_end, warn_on_full_buffer=False)

    def ask_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        """Note the wish; `wait` acts on it where nothing is half done."""
        self.asked_to_stop += 1

    def pause(self, seconds: float) -> None:
        """Sleep, but not past a signal."""
        if self.wake is None:
            time.sleep(seconds)
            return
        readable, _, _ = select.select([self.wake], [], [], seconds)
        if readable:
            os.read(self.wake, 4_096)

    def check_stop(self) -> None:
        """Raise Stopped if we were asked to end, or if the `make` that started us was."""
        if self.asked_to_stop or (self.parent is not None and parents.is_leaving(self.parent)):
            raise Stopped

    # -- starting ------------------------------------------------------------------------------

    def clear_leftovers(self) -> None:
        """End what an earlier, killed run left behind."""
        records = read_records(self.run_folder)
        names = stop_records(records, LEFTOVER_SECONDS)
        if names:
            self.say(f"cleaned up after a run that was killed: {', '.join(names)}")
        for path in self.run_folder.glob("*.pid"):
            path.unlink(missing_ok=True)

    def launch(self, program: Program) -> Child:
        """Start a program; it may not be ready yet."""
        self.check_stop()
        try:
            process = spawn(program)
        except OSError as problem:
            reason = problem.strerror or str(problem)
            raise CannotStart(f"{program.name} cannot start: {reason} ({program.command[0]}).") from problem
        record = record_of(program, process.pid)
        record.write(self.run_folder)
        child = Child(program, process, record, since=time.monotonic())
        self.children.append(child)
        return child

    def start(self, program: Program) -> Child:
        """Start a program and wait until it answers."""
        child = self.launch(program)
        self.await_ready(child)
        return child

    def await_ready(self, child: Child) -> None:
        """Wait until a program answers. Raises CannotStart with its last words if it ends or hangs."""
        program = child.program
        deadline = child.since + program.ready_seconds
        while not program.is_ready():
            if child.process.poll() is not None:
                raise CannotStart(f"{program.name} ended at once: {last_words(program)}")
            if time.monotonic() > deadline:
                raise CannotStart(
                    f"{program.name} does not answer after {program.ready_seconds:.0f} s: {last_words(program)}"
                )
            self.pause(0.05)
            self.check_stop()
        took = time.monotonic() - child.since
        self.say(f"{program.name} is up{program.note} ({took:.1f} s)")

    def run_program(self, program: Program, *, seconds: float = 600, on_tick: Callable[[], None] = lambda: None) -> int:
        """Run a program to its end, looking after the servers meanwhile. Returns its exit code."""
        self.check_stop()
        process = spawn(program)
        record = record_of(program, process.pid)
        record.write(self.run_folder)
        try:
            return self.wait(process.poll, seconds=seconds, on_tick=on_tick)
        finally:
            ask_to_end(process, record)
            finish(process, record, seconds=program.stop_seconds)
            (self.run_folder / f"{program.name}.pid").unlink(missing_ok=True)

    # -- running -------------------------------------------------------------------------------

    def wait(self, until: Callable[[], T | None], *, seconds: float, on_tick: Callable[[], None] = lambda: None) -> T:
        """Look after the servers until `until` returns something. Raises Stopped, CannotStart."""
        deadline = time.monotonic() + seconds
        while (answer := until()) is None:
            if time.monotonic() > deadline:
                raise TookTooLong(f"Gave up waiting after {seconds:.0f} s.")
            self.look_after()
            on_tick()
            self.pause(0.25)
        return answer

    def forever(self) -> None:
        """Look after the servers until somebody asks us to end."""
        while True:
            self.look_after()
            self.pause(1.0)

    def look_after(self) -> None:
        """Notice children that died; start them again, later each time; give up in the end."""
        self.check_stop()
        now = time.monotonic()
        for child in self.children:
            if child.restart_at is None and child.process.poll() is not None:
                self.plan_restart(child, now)
            elif child.restart_at is not None and now >= child.restart_at:
                self.restart(child, now)

    def plan_restart(self, child: Child, now: float) -> None:
        """Clear what the dead child left, and say when it comes back."""
        kill_session(child.record)
        if now - child.since > STEADY_SECONDS:
            child.failures = 0
        child.failures += 1
        name = child.program.name
        if child.failures >= GIVE_UP_AFTER:
            raise CannotStart(f"{name} keeps ending: {last_words(child.program)}")
        pause = min(LONGEST_PAUSE, 0.5 * 2 ** (child.failures - 1))
        child.restart_at = now + pause
        self.say(f"{name} {how_it_ended(child.process.returncode)}; starting it again in {pause:.1f} s")

    def restart(self, child: Child, now: float) -> None:
        """Start a child again; whether it is well shows in the next looks."""
        child.process = spawn(child.program)
        child.record = record_of(child.program, child.process.pid)
        child.record.write(self.run_folder)
        child.since, child.restart_at = now, None

    # -- stopping ------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every child, the last started first. A second Ctrl-C makes it quick."""
        asked = self.asked_to_stop
        while self.children:
            for child in self.last_group():
                self.children.remove(child)
                hurry = self.asked_to_stop > max(asked, 1)
                finish(child.process, child.record, seconds=0.5 if hurry else child.program.stop_seconds)
                (self.run_folder / f"{child.program.name}.pid").unlink(missing_ok=True)

    def last_group(self) -> list[Child]:
        """Ask the last child to end, and with it those before it that need not wait for each other."""
        group = [self.children[-1]]
        for child in reversed(self.children[:-1]):
            if not (child.program.ends_together and group[-1].program.ends_together):
                break
            group.append(child)
        for child in group:
            ask_to_end(child.process, child.record)
        return group


def guard_program(owner: int, run_folder: Path, log: Path, *more: str) -> Program:
    """Return the guard of a process: it must outlive it, so the kernel does not end it with its parent."""
    # -S and -E: nothing but the standard library, so that it stays small.
    python = [sys.executable, "-S", "-E", "-m", "maestro.embedded.guard"]
    return Program(
        name="guard",
        command=[*python, str(owner), str(run_folder), *more],
        log=log,
        environment={"PATH": os.defpath, "LANG": "C.UTF-8"},
        folder=PROJECT,
        orphan_signal=None,
        stop_seconds=12,
    )


def ask_to_end(process: subprocess.Popen[bytes], record: Record) -> None:
    """Send a child the signal that it ends on."""
    if process.poll() is None:
        send(process.pid, record.stop_signal)


def finish(process: subprocess.Popen[bytes], record: Record, *, seconds: float) -> None:
    """Wait for a child that was asked to end, then kill it with all it started."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    kill_session(record)


def how_it_ended(code: int) -> str:
    """Return an exit code in words."""
    if code < 0:
        return f"was killed by {signal.Signals(-code).name}"
    return f"ended with code {code}"


def last_words(program: Program) -> str:
    """Return the end of a program's log on one line, and where the rest is."""
    words = " / ".join(tail(program.log, 3)) or "it said nothing"
    return f"{words} (log: {program.log})"
