"""Floor: make .venv and install a locked set into it; run by the system's Python, before anything is installed.

`python3 -m maestro.embedded.install run|dev`. Does nothing when the set is in place: a stamp holds its digest.
"""

import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from maestro.embedded import parents

PROJECT = Path(__file__).resolve().parents[2]
VENV = PROJECT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "install.log"
# The development set contains the run-time set, at the same versions.
SETS = {"run": "requirements.txt", "dev": "requirements-dev.txt"}
# The optional extra that finds by meaning, which the tests try. Its packages ask for torch, and do without: `--no-deps`.
MEANING = "requirements-meaning.txt"
ENOUGH = {"run": ("run", "dev"), "dev": ("dev",)}
OLDEST = (3, 11)
PARENT = os.getppid()
# Debian keeps pip's wheel apart from Python.
DEBIAN_WHEELS = Path("/usr/share/python-wheels")
NO_ROOM = ("No space left on device", "os error 28", "Errno 28")
NEEDED_MB = {"run": 600, "dev": 1500}
NO_NETWORK = ("client error (Connect)", "NewConnectionError", "ConnectTimeoutError", "name resolution")
SIGN_OF_LIFE_SECONDS = 10.0
STARTED = time.monotonic()


def main(arguments: "list[str]") -> int:
    """Bring .venv up to date. Returns 0, or 1 with one line that says what is wrong."""
    if sys.version_info < OLDEST:
        return fail(
            f"Python 3.11 or newer is needed, this is {sys.version.split()[0]}: install it, "
            "or name one with `make PYTHON=/path/to/python3.11 ...`."
        )
    name = arguments[0] if arguments else ""
    if name not in SETS:
        return fail("usage: install.py run|dev")
    if any(is_installed(other) for other in ENOUGH[name]):
        return 0
    try:
        return install(name)
    except KeyboardInterrupt:
        return fail("interrupted; the next start goes on from here")
    except OSError as problem:
        return fail(f"cannot write to {VENV}: {problem.strerror}")


def install(name: str) -> int:
    """Make the environment if need be, then install with uv, or with pip if uv does not work."""
    free, there = shutil.disk_usage(PROJECT).free >> 20, VENV.exists()
    if not there and free < NEEDED_MB[name]:
        return fail(f"the disk of {PROJECT} has {free} MB left; {SETS[name]} needs {NEEDED_MB[name]} MB")
    if not PYTHON.exists() or unfinished().exists() or not works():
        problem = make_venv()
        if problem:
            return fail(problem)
    unfinished().touch()
    stamp(name).unlink(missing_ok=True)
    say(f"installing {SETS[name]} (log: {LOG.relative_to(PROJECT)})")
    for requirements, options in ((SETS[name], []), *([(MEANING, ["--no-deps"])] if name == "dev" else [])):
        if not (with_uv(requirements, options) or (not is_full() and with_pip(requirements, options))):
            return fail(f"cannot install {requirements}: {last_line()} (log: {LOG})")
    unfinished().unlink()
    stamp(name).write_text(digest(name))
    say("installed")
    return 0


def make_venv() -> "str | None":
    """Make .venv anew. Returns what is wrong, if something is."""
    try:
        __import__("ensurepip")
        __import__("venv")
    except ImportError:
        version = f"{sys.version_info[0]}.{sys.version_info[1]}"
        return f"Python's venv module is missing: install it, on Debian `apt-get install python{version}-venv`."
    say(f"making .venv with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    VENV.mkdir()
    unfinished().touch()
    # Without pip, whose own installation takes longer than that of most of the rest.
    if not run([sys.executable, "-m", "venv", "--without-pip", str(VENV)]):
        return f"cannot make {VENV}: {last_line()}"
    return None


def works() -> bool:
    """True if .venv has a Python that runs: the one it was made with may have been removed."""
    try:
        return run([str(PYTHON), "-c", "import sys"])
    except OSError:
        return False


def bundled_pip() -> "Path | None":
    """Return the pip that Python brings along to install pip with; it runs without being installed."""
    spec = importlib.util.find_spec("ensurepip")
    own = Path(spec.origin).parent / "_bundled" if spec and spec.origin else DEBIAN_WHEELS
    wheels = [*own.glob("pip-*.whl"), *DEBIAN_WHEELS.glob("pip-*.whl")]
    return wheels[0] if wheels else None


def install_uv() -> bool:
    """Install uv from its locked file, by the pip at hand."""
    wheel = bundled_pip()
    if wheel is None and not run([str(PYTHON), "-m", "ensurepip"]):
        return False
    pip = [str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
    return run([*pip, "-r", str(PROJECT / "requirements-uv.txt")], {"PYTHONPATH": str(wheel)} if wheel else {})


def with_uv(requirements: str, options: "list[str]") -> bool:
    """Install with uv, four times as fast as pip."""
    uv = shutil.which("uv") or str(VENV / "bin" / "uv")
    if not Path(uv).exists() and not install_uv():
        return False
    command = [uv, "pip", "install", "--python", str(PYTHON), "--require-hashes", "--system-certs"]
    command += ["--link-mode", link_mode()]
    if run([*command, *options, "-r", str(PROJECT / requirements)]):
        return True
    if not is_full():
        say(f"uv did not work ({last_line()}); trying pip")
    return False


def is_full() -> bool:
    """True if the last command ended for want of room: another installer would too."""
    return any(sign in last_words() for sign in NO_ROOM)


def with_pip(requirements: str, options: "list[str]") -> bool:
    """Install with pip: slower, and knows every setting of the machine's pip."""
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--require-hashes"]
    if not run([str(PYTHON), "-m", "ensurepip"]):
        return False
    return run([*pip, *options, "-r", str(PROJECT / requirements)])


def link_mode() -> str:
    """Copy when root: a link into a closed cache would be a file that the servers' user cannot read."""
    return "copy" if os.geteuid() == 0 else "hardlink"


def run(command: "list[str]", more: "dict[str, str] | None" = None) -> bool:
    """Run a command with its words in the log; show a sign of life every ten seconds."""
    with LOG.open("ab") as log:
        log.write(("\n$ " + " ".join(command) + "\n").encode())
        log.flush()
        # In a session of its own: pip's children do not all heed Ctrl-C, so we end them ourselves.
        process = subprocess.Popen(
            command,
            cwd="/",
            env=os.environ | (more or {}),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    shown = time.monotonic()
    try:
        while process.poll() is None:
            time.sleep(0.1)
            if parents.is_leaving(PARENT):
                raise KeyboardInterrupt
            if time.monotonic() - shown > SIGN_OF_LIFE_SECONDS:
                shown = time.monotonic()
                say("still installing")
        return process.returncode == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def is_installed(name: str) -> bool:
    """True if the set in .venv is the one that the locked file asks for."""
    try:
        return PYTHON.exists() and not unfinished().exists() and stamp(name).read_text() == digest(name)
    except OSError:
        return False


def digest(name: str) -> str:
    """Return what an install depends on: the locked files, and where the environment is."""
    names = [SETS[name], *([MEANING] if name == "dev" else [])]
    locked = b"".join((PROJECT / one).read_bytes() for one in names)
    return hashlib.sha256(locked + str(VENV).encode()).hexdigest()


def stamp(name: str) -> Path:
    """Return the file that says which set is installed."""
    return VENV / f".installed-{name}"


def unfinished() -> Path:
    """Return the file that is there while an install runs, and after one that was cut short."""
    return VENV / ".unfinished"


def last_words() -> str:
    """Return what the last command said."""
    return LOG.read_text(errors="replace").rpartition("\n$ ")[2]


def last_line() -> str:
    """Return why the last command failed: its last line, or the last that names an error."""
    text = last_words()
    if is_full():
        return f"the disk of {PROJECT} is full"
    if any(sign in text for sign in NO_NETWORK):
        return "the package registry cannot be reached"
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no output"])[-1]


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"[{time.monotonic() - STARTED:5.1f} s] {text}", flush=True)


def fail(text: str) -> int:
    """Print what is wrong and return the exit code."""
    print(f"maestro: {text}", file=sys.stderr, flush=True)
    return 1


def leave(_number: int, _frame: object) -> None:
    """Treat SIGTERM and a closed terminal as Ctrl-C: end pip too."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, leave)
    sys.exit(main(sys.argv[1:]))
