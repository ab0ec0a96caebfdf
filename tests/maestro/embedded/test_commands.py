"""`python -m maestro.embedded` as a person meets it: one line when it cannot, nothing left when it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from maestro.embedded import processes
from maestro.embedded.home import Home, read_env
from maestro.embedded.ports import HOST
from maestro.embedded.supervisor import PROJECT
from tests.maestro.embedded.programs import open_folder, wait_for
from tests.patience import ANSWER_SECONDS, START_SECONDS


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A home of its own."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("MAESTRO_")}
    with open_folder() as folder:
        yield kept | {"MAESTRO_HOME": str(folder / "home")}


def call(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "maestro.embedded", *arguments]
    return subprocess.run(
        command,
        cwd=PROJECT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=START_SECONDS,
        check=False,
    )


def start(environment: dict[str, str], name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "maestro.embedded", name]
    return subprocess.Popen(command, cwd=PROJECT, env=environment, stdout=subprocess.PIPE, text=True)


def read_until(process: subprocess.Popen[str], words: str) -> None:
    assert process.stdout is not None
    assert any(words in line for line in process.stdout), f"it ended without saying {words!r}"


def nothing_is_left(environment: dict[str, str]) -> bool:
    home = environment["MAESTRO_HOME"].encode()
    for entry in os.listdir("/proc"):
        if entry.isdigit() and entry != str(os.getpid()) and processes.start_time(int(entry)):
            try:
                words = Path(f"/proc/{entry}/cmdline").read_bytes()
            except OSError:
                continue
            if home in words:
                return False
    return True


def test_a_taken_port_is_said_in_one_line_and_nothing_is_left(environment: dict[str, str]) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        done = call(environment | {"MAESTRO_PORT": str(port)}, "up")
    assert done.returncode == 1
    assert done.stderr == (
        f"maestro: Port {port} on {HOST} is taken or not allowed: choose another one, "
        f"for example `MAESTRO_PORT={port + 1} make demo`.\n"
    )
    assert nothing_is_left(environment)


@pytest.mark.parametrize("port", ["eighty", "0", "70000", "-1"])
def test_a_port_that_is_none_is_said_in_one_line(environment: dict[str, str], port: str) -> None:
    done = call(environment | {"MAESTRO_PORT": port}, "up")
    assert done.returncode == 1
    assert done.stderr.startswith("maestro: MAESTRO_PORT must be a port from 1 to 65535")
    assert done.stderr.count("\n") == 1


def test_a_home_that_cannot_be_made_is_said_in_one_line(environment: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = call(environment | {"MAESTRO_HOME": str(tmp_path / "file" / "home")}, "servers")
    assert done.returncode == 1
    assert done.stderr.startswith("maestro: Cannot write to ")
    assert done.stderr.count("\n") == 1


def test_an_unknown_command_is_wrong_usage(environment: dict[str, str]) -> None:
    assert call(environment, "frobnicate").returncode == 2


@pytest.mark.slow
def test_servers_serve_until_interrupted_and_keep_their_data(environment: dict[str, str]) -> None:
    for answer in (0, 1):
        process = start(environment, "servers")
        read_until(process, "addresses are in")
        values = read_env(Path(environment["MAESTRO_HOME"]) / "server.env")
        with psycopg.connect(values["MAESTRO_OWNER_DATABASE_URL"]) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS kept (a int)")
            assert connection.execute("SELECT count(*) FROM kept").fetchone() == (answer,)
            connection.execute("INSERT INTO kept VALUES (1)")
        status = json.loads(call(environment, "status", "--output", "json").stdout)
        assert status["supervisor"] == process.pid
        assert {"postgres", "valkey", "guard"} == {one["name"] for one in status["processes"]}
        assert "already run" in call(environment, "servers").stderr
        process.send_signal(signal.SIGINT)
        assert process.wait(ANSWER_SECONDS) == 0
        assert nothing_is_left(environment)


@pytest.mark.slow
@pytest.mark.parametrize("words", ["making the database's folder", "postgres is up", "addresses are in"])
def test_a_kill_at_any_moment_leaves_nothing_and_the_next_start_works(environment: dict[str, str], words: str) -> None:
    killed = start(environment, "servers")
    read_until(killed, words)
    killed.kill()
    killed.communicate()
    assert wait_for(lambda: nothing_is_left(environment))
    again = start(environment, "servers")
    read_until(again, "addresses are in")
    assert call(environment, "down").stdout == "stopped\n"
    again.communicate()
    assert call(environment, "reset").returncode == 0
    assert not Path(environment["MAESTRO_HOME"]).exists()
    assert nothing_is_left(environment)


def test_reset_and_down_have_nothing_to_do_without_a_home(environment: dict[str, str]) -> None:
    assert call(environment, "down").stdout == "nothing runs\n"
    assert call(environment, "reset").stdout == "nothing to delete\n"
    assert Home(Path(environment["MAESTRO_HOME"]), None).owner() is None


def test_a_demo_that_runs_is_not_deleted_unasked(environment: dict[str, str]) -> None:
    home = Path(environment["MAESTRO_HOME"])
    with start(environment, "servers") as running:
        read_until(running, "Ctrl-C ends both")
        refused = call(environment, "reset")
        assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
        assert "make demo-reset YES=1" in refused.stderr
        assert running.poll() is None
        assert call(environment, "reset", "--yes").returncode == 0
    assert not home.exists()
