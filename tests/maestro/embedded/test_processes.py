"""Processes: what we start is found again, ended whole, and never mistaken for another."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from maestro.embedded import processes
from maestro.embedded.processes import Record
from maestro.embedded.supervisor import PROJECT, guard_program
from tests.maestro.embedded.programs import NOTE_PID, POLITE, SLEEP, WITH_CHILD, kill, program, wait_for

PARENT = """
import os, sys, time
from pathlib import Path
from maestro.embedded import processes
from tests.maestro.embedded.programs import program
child = processes.spawn(program(Path(sys.argv[1]), "child"))
print(child.pid, flush=True)
time.sleep(600)
"""
OWNER = """
import sys, time
from pathlib import Path
from dataclasses import replace
from maestro.embedded.supervisor import Supervisor, guard_program
from tests.maestro.embedded.programs import program, POLITE, NOTE_PID, SLEEP, WITH_CHILD
import os
folder = Path(sys.argv[1])
supervisor = Supervisor(folder / "run", lambda text: None)
supervisor.launch(guard_program(os.getpid(), folder / "run", folder / "guard.log", str(folder / "litter")))
code = WITH_CHILD.join(["import sys; ", POLITE + NOTE_PID + SLEEP])
supervisor.start(replace(program(folder, "server", code), orphan_signal=None))
print(open(folder / "server.up").read(), flush=True)
time.sleep(600)
"""


def started(folder: Path, code: str) -> tuple[subprocess.Popen[bytes], int]:
    """Start a process that starts another, and return both."""
    process = subprocess.Popen([sys.executable, "-c", code, str(folder)], cwd=PROJECT, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def is_gone(pid: int) -> bool:
    return processes.start_time(pid) is None


def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    parent, child = started(tmp_path, PARENT)
    assert not is_gone(child)
    parent.kill()
    parent.communicate()
    assert wait_for(lambda: is_gone(child))


def test_the_guard_ends_what_a_killed_owner_left_and_removes_its_folder(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "litter").mkdir()
    owner, server = started(tmp_path, OWNER)
    whole = processes.members(server)
    guard = Record.read(tmp_path / "run" / "guard.pid")
    assert len(whole) == 2
    assert guard is not None
    owner.kill()
    owner.communicate()
    assert wait_for(lambda: all(is_gone(pid) for pid in [*whole, guard.pid]))
    assert not (tmp_path / "litter").exists()
    assert list((tmp_path / "run").iterdir()) == []


def test_a_record_survives_the_disk_and_a_torn_one_is_no_record(tmp_path: Path) -> None:
    record = Record(name="a", pid=1, started="5", stop_signal=15, litter=["left.sock"])
    record.write(tmp_path)
    assert Record.read(tmp_path / "a.pid") == record
    (tmp_path / "a.pid").write_text('{"name": "a", "pi')
    assert Record.read(tmp_path / "a.pid") is None
    assert processes.read_records(tmp_path) == []


def test_another_process_with_the_same_pid_is_left_alone(tmp_path: Path) -> None:
    process = processes.spawn(program(tmp_path, "innocent"))
    try:
        stranger = replace(processes.record_of(program(tmp_path, "old"), process.pid), started="1")
        assert processes.stop_records([stranger], 1) == []
        assert process.poll() is None
    finally:
        process.kill()
        process.wait()


def test_stopping_ends_children_of_a_leader_that_is_dead(tmp_path: Path) -> None:
    code = "import sys; " + WITH_CHILD + POLITE + NOTE_PID + SLEEP
    leader = program(tmp_path, "leader", code)
    process = processes.spawn(leader)
    record = processes.record_of(leader, process.pid)
    assert wait_for(leader.is_ready)
    kill(process.pid)
    process.wait()
    left = processes.members(process.pid)
    assert len(left) == 1
    assert processes.stop_records([record], 1) == ["leader"]
    assert wait_for(lambda: is_gone(left[0]))


def test_litter_is_removed_with_the_process(tmp_path: Path) -> None:
    socket = tmp_path / "left.sock"
    socket.touch()
    processes.kill_session(Record("gone", pid=2**22 - 1, started="1", stop_signal=15, litter=[str(socket)]))
    assert not socket.exists()


def test_start_time_tells_a_zombie_from_the_living(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-S", "-c", ""])
    assert wait_for(lambda: processes.start_time(process.pid) is None)
    process.wait()
    assert processes.start_time(os.getpid()) is not None


def test_the_guard_is_small_and_outlives_us(tmp_path: Path) -> None:
    guard = guard_program(os.getpid(), tmp_path, tmp_path / "guard.log")
    assert guard.orphan_signal is None
    assert "-S" in guard.command


def test_tail_gives_the_last_words_only(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_text("first\n" * 5_000 + "\nlast but one\n\nlast\n")
    assert processes.tail(log, 2) == ["last but one", "last"]
    assert processes.tail(tmp_path / "missing.log") == []


def test_memory_counts_children_that_left_the_session(tmp_path: Path) -> None:
    child = "import subprocess; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True); "
    parent = program(tmp_path, "parent", "import sys; " + child + POLITE + NOTE_PID + SLEEP)
    process = processes.spawn(parent)
    assert wait_for(lambda: parent.is_ready() and len(processes.family(process.pid)) == 2)
    family = processes.family(process.pid)
    alone = processes.memory_kib(next(iter(family - {process.pid})))
    try:
        assert 0 < alone < processes.memory_kib(process.pid)
    finally:
        for pid in family:
            kill(pid)
        process.wait()
