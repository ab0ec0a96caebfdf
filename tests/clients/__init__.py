"""Stock clients of other versions, each in an environment of its own, made on first use from a hash-locked set.

The sets are locked by hand, from the top folder, when a version is added or raised:

    for set in tests/clients/*.in; do
      .venv/bin/python -m uv pip compile -q --python-version 3.11 --generate-hashes --no-header $set -o ${set%.in}.txt
    done
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEPT = HERE.parent.parent / ".venv-clients"  # in the checkout and ignored by git, so that it is made once a machine


def python_of(name: str) -> Path:
    """Find the Python of a client, making its environment if it is not there or its set has changed."""
    locked = HERE / f"{name}.txt"
    folder = KEPT / f"{name}-{hashlib.sha256(locked.read_bytes()).hexdigest()[:12]}"
    KEPT.mkdir(exist_ok=True)
    with open(KEPT / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "is-whole").exists():
            for stale in KEPT.glob(f"{name}-*"):
                shutil.rmtree(stale)
            make(folder, locked)
            (folder / "is-whole").touch()
    return folder / "bin" / "python"


def make(folder: Path, locked: Path) -> None:
    """Make an environment by uv, or by pip where there is no uv."""
    python = str(folder / "bin" / "python")
    wanted = ["--require-hashes", "--only-binary", ":all:", "-r", str(locked)]
    uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
    if Path(uv).exists():
        run([uv, "--quiet", "venv", "--python", sys.executable, str(folder)])
        run([uv, "--quiet", "pip", "install", "--system-certs", "--python", python, *wanted])
    else:
        run([sys.executable, "-m", "venv", str(folder)])
        run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted])


def run(command: list[str]) -> None:
    """Run a command. Raises RuntimeError with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr[-3000:]}")
