"""The supervisor: starts in order, brings back what dies, gives up with the reason, ends in reverse."""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from maestro.embedded import parents, supervisor
from maestro.embedded.errors import CannotStart, Stopped
from maestro.embedded.processes import Program, Record, read_records
from maestro.embedded.supervisor import Supervisor
from tests.maestro.embedded.programs import POLITE, SLEEP, kill, program, wait_for
from tests.patience import ANSWER_SECONDS

STUBBORN = (
    "import signal,time,sys,os; signal.signal(signal.SIGTERM, signal.SIG_IGN); open(sys.argv[1],'w'); time.sleep(600)"
)


class Watched:
    """A supervisor and what it said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: list[str] = []
        (folder / "run").mkdir()
        self.supervisor = Supervisor(folder / "run", self.said.append)

    def pid(self, name: str) -> int:
        record = Record.read(self.folder / "run" / f"{name}.pid")
        assert record is not None
        return record.pid


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watched]:
    made = Watched(tmp_path)
    yield made
    made.supervisor.stop()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_killed_child_comes_back(watched: Watched) -> None:
    child = watched.supervisor.start(program(watched.folder, "server"))
    first = child.process.pid
    kill(first)
    watched.supervisor.wait(lambda: True if watched.pid("server") != first else None, seconds=ANSWER_SECONDS)
    assert child.process.poll() is None
    assert "server was killed by SIGKILL; starting it again in 0.5 s" in watched.said


def test_the_pause_doubles_and_six_deaths_are_enough(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "LONGEST_PAUSE", 0.0)
    broken = "import sys; open(sys.argv[1],'w'); sys.exit('no such option: --frobnicate')"
    watched.supervisor.start(program(watched.folder, "broken", broken))
    with pytest.raises(CannotStart, match=r"broken keeps ending: .*--frobnicate.*broken\.log"):
        watched.supervisor.wait(lambda: None, seconds=60)


def test_a_program_that_ends_at_once_is_refused_with_its_last_words(watched: Watched) -> None:
    with pytest.raises(CannotStart, match="server ended at once: out of cheese"):
        watched.supervisor.start(program(watched.folder, "server", "import sys; sys.exit('out of cheese')"))


def test_a_program_that_is_not_there_is_named(watched: Watched, tmp_path: Path) -> None:
    missing = Program("ghost", [str(tmp_path / "ghost")], tmp_path / "ghost.log", {})
    with pytest.raises(CannotStart, match="ghost cannot start: No such file or directory"):
        watched.supervisor.launch(missing)


def test_a_program_that_never_answers_is_given_up(watched: Watched) -> None:
    mute = Program("mute", ["/bin/sleep", "600"], watched.folder / "mute.log", {}, lambda: False, ready_seconds=0.3)
    with pytest.raises(CannotStart, match="mute does not answer"):
        watched.supervisor.start(mute)


def test_children_end_in_reverse_order(watched: Watched) -> None:
    code = (
        POLITE.replace("sys.exit(0)", "(open(sys.argv[1] + '.end','w'), sys.exit(0))")
        + "open(sys.argv[1],'w'); "
        + SLEEP
    )
    for name in ("first", "second", "third"):
        watched.supervisor.start(program(watched.folder, name, code))
    watched.supervisor.stop()
    ends = [(watched.folder / f"{name}.up.end").stat().st_mtime_ns for name in ("third", "second", "first")]
    assert ends == sorted(ends)
    assert read_records(watched.folder / "run") == []


def test_those_that_may_end_together_do_not_wait_for_each_other(watched: Watched) -> None:
    marks = (
        "lambda *_: (open(sys.argv[1] + '.asked', 'w'), time.sleep(1), open(sys.argv[1] + '.end', 'w'), sys.exit(0))"
    )
    names = ("web", "worker", "beat")
    for name in names:
        slow = program(watched.folder, name, STUBBORN.replace("signal.SIG_IGN", marks), stop_seconds=ANSWER_SECONDS)
        watched.supervisor.start(replace(slow, ends_together=True))
    watched.supervisor.stop()
    asked, ends = (
        [(watched.folder / f"{name}.up.{mark}").stat().st_mtime_ns for name in names] for mark in ("asked", "end")
    )
    assert max(asked) < min(ends)


def test_a_child_that_does_not_heed_is_killed(watched: Watched) -> None:
    child = watched.supervisor.start(program(watched.folder, "stubborn", STUBBORN, stop_seconds=0.3))
    watched.supervisor.stop()
    assert child.process.returncode == -9


def test_what_a_killed_run_left_is_ended_by_the_next(watched: Watched) -> None:
    child = watched.supervisor.start(program(watched.folder, "server"))
    next_run = Supervisor(watched.folder / "run", watched.said.append)
    next_run.clear_leftovers()
    assert wait_for(lambda: child.process.poll() is not None)
    assert "cleaned up after a run that was killed: server" in watched.said


def test_a_step_returns_its_code_and_leaves_nothing(watched: Watched) -> None:
    step = program(watched.folder, "step", "import sys; print('said'); sys.exit(5)")
    assert watched.supervisor.run_program(step) == 5
    assert step.log.read_text() == "said\n"
    assert list((watched.folder / "run").iterdir()) == []


def test_asking_to_stop_ends_a_wait(watched: Watched) -> None:
    watched.supervisor.ask_to_stop(2, None)
    with pytest.raises(Stopped):
        watched.supervisor.wait(lambda: None, seconds=ANSWER_SECONDS)


def test_a_parent_that_is_not_ours_has_left() -> None:
    assert parents.is_leaving(1) is (os.getppid() != 1)
    assert parents.is_leaving(os.getppid()) is False
