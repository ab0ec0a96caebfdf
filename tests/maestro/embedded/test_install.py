"""The installer: an installed set is left alone, a changed or unfinished one is not."""

import subprocess
import sys
from pathlib import Path

import pytest

from maestro.embedded import install
from maestro.embedded.supervisor import PROJECT


@pytest.fixture
def venv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand in a project whose environment is there, with nothing stamped."""
    for name in (*install.SETS.values(), install.MEANING):
        (tmp_path / name).write_text(f"# {name}\n")
    folder = tmp_path / ".venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(install, "PROJECT", tmp_path)
    monkeypatch.setattr(install, "VENV", folder)
    monkeypatch.setattr(install, "PYTHON", folder / "bin" / "python")
    monkeypatch.setattr(install, "LOG", folder / "install.log")
    return folder


def stamp(name: str) -> None:
    install.stamp(name).write_text(install.digest(name))


def test_a_stamped_set_is_not_installed_again(venv: Path) -> None:
    stamp("run")
    assert install.main(["run"]) == 0
    assert not install.LOG.exists()


def test_the_development_set_contains_the_other(venv: Path) -> None:
    stamp("dev")
    assert install.main(["run"]) == 0
    stamp("run")
    install.stamp("dev").unlink()
    assert install.is_installed("run") is True
    assert install.is_installed("dev") is False


def test_a_changed_lock_file_or_a_cut_install_is_installed_again(venv: Path) -> None:
    stamp("run")
    (install.PROJECT / "requirements.txt").write_text("# other\n")
    assert install.is_installed("run") is False
    stamp("run")
    assert install.is_installed("run") is True
    install.unfinished().touch()
    assert install.is_installed("run") is False


def test_an_unknown_set_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert install.main(["all"]) == 1
    assert capsys.readouterr().err == "maestro: usage: install.py run|dev\n"


def test_an_old_python_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(install, "OLDEST", (99, 0))
    assert install.main(["run"]) == 1
    assert capsys.readouterr().err.startswith("maestro: Python 3.11 or newer is needed, this is 3.")


def test_every_locked_line_has_a_hash() -> None:
    for name in (*install.SETS.values(), install.MEANING, "requirements-uv.txt"):
        text = (PROJECT / name).read_text().replace("\\\n", " ")
        pins = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
        assert pins
        assert all("==" in line and "--hash=sha256:" in line for line in pins)


def test_make_lists_its_commands() -> None:
    done = subprocess.run(["make", "help"], cwd=PROJECT, capture_output=True, text=True, check=True)
    listed = {line.split()[0] for line in done.stdout.splitlines()}
    assert {"demo", "demo-reset", "test", "check", "fast", "bench", "lock", "env", "lint", "types", "fmt"} <= listed


def test_a_disk_without_room_is_said_before_anything_is_made(
    venv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(install, "VENV", venv.with_name("none"))
    monkeypatch.setitem(install.NEEDED_MB, "run", 10**9)
    assert install.main(["run"]) == 1
    assert "needs 1000000000 MB" in capsys.readouterr().err
    assert not install.VENV.exists()


def test_a_disk_that_fills_up_is_named_and_no_second_installer_is_tried(venv: Path) -> None:
    install.LOG.write_text(
        "\n$ uv pip install\nerror: Failed to write\n  Caused by: No space left on device (os error 28)\n"
    )
    assert install.is_full() is True
    assert install.last_line() == f"the disk of {install.PROJECT} is full"


@pytest.mark.parametrize("word", ["demo-stop", "demo-status", "demo-reset"])
def test_a_fresh_clone_has_nothing_that_runs(tmp_path: Path, word: str) -> None:
    (tmp_path / "Makefile").write_text((PROJECT / "Makefile").read_text())
    done = subprocess.run(["make", word], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout in ("nothing runs\n", "nothing to delete\n")
    assert done.stderr == ""
