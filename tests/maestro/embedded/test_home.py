"""The home folder: generated secrets, closed files, and a lock that cannot go stale."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from maestro.embedded.errors import CannotStart
from maestro.embedded.home import Home, read_env, write_env
from maestro.embedded.supervisor import PROJECT
from tests.maestro.embedded.programs import wait_for

HOLD = """
import sys, time
from pathlib import Path
from maestro.embedded.home import Home
home = Home(Path(sys.argv[1]), None)
home.acquire()
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "home", None)
    made.prepare()
    return made


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_secrets_are_random_long_and_stay(home: Home, tmp_path: Path) -> None:
    other = Home(tmp_path / "other", None)
    other.prepare()
    ours, theirs = vars(home.secrets()), vars(other.secrets())
    assert all(len(value) >= 32 for value in ours.values())
    assert len(set(ours.values()) | set(theirs.values())) == 2 * len(ours)
    assert vars(home.secrets()) == ours


def test_nobody_else_reads_the_secrets(home: Home) -> None:
    old = os.umask(0)
    try:
        home.secrets()
        write_env(home.server_env, {"MAESTRO_SECRET_KEY": "x"})
    finally:
        os.umask(old)
    assert mode(home.folder / "secrets.json") == mode(home.server_env) == 0o600
    assert mode(home.folder) == 0o700


def test_a_secret_that_an_earlier_version_lacked_is_added(home: Home) -> None:
    known = vars(home.secrets()) | {}
    older = {key: value for key, value in known.items() if key != "metrics_token"}
    (home.folder / "secrets.json").write_text(json.dumps(older))
    grown = vars(home.secrets())
    assert grown | {"metrics_token": ""} == older | {"metrics_token": ""}
    assert len(grown["metrics_token"]) >= 32
    assert vars(home.secrets()) == grown


def test_damaged_secrets_are_refused_in_one_line(home: Home) -> None:
    (home.folder / "secrets.json").write_text('{"postgres": "cut sho')
    with pytest.raises(CannotStart, match=r"damaged.*make demo-reset"):
        home.secrets()


def test_env_files_read_back(home: Home) -> None:
    values = {"A": "1", "B": "postgresql://u:p=w@h/db", "C": ""}
    write_env(home.demo_env, values)
    assert read_env(home.demo_env) == values
    assert read_env(home.folder / "missing.env") == {}


def test_a_second_start_is_told_who_runs(home: Home) -> None:
    home.acquire()
    with pytest.raises(CannotStart, match=f"process {os.getpid()}"):
        Home(home.folder, None).acquire()
    assert Home(home.folder, None).owner() == os.getpid()
    home.release()
    assert home.owner() is None


def test_the_lock_of_a_killed_process_is_free(home: Home) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.folder)], cwd=PROJECT, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        assert home.owner() == holder.pid
        holder.send_signal(signal.SIGKILL)
    assert wait_for(lambda: home.owner() is None)
    home.acquire()
    home.release()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CannotStart, match=r"Cannot write to .*file/home"):
        Home(tmp_path / "file" / "home", None).prepare()


def test_long_logs_begin_anew_and_short_ones_stay(home: Home) -> None:
    home.log("long").write_bytes(b"x" * (11 << 20))
    home.log("short").write_bytes(b"kept")
    home.trim_logs()
    assert home.log("long").read_bytes() == b""
    assert home.log("short").read_bytes() == b"kept"


def test_remove_takes_the_data_that_is_elsewhere_too(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "postgres").mkdir(parents=True)
    (home.folder / "elsewhere").write_text(f"{elsewhere}\n")
    assert home.data == elsewhere
    home.remove()
    assert not elsewhere.exists()
    assert not home.folder.exists()
