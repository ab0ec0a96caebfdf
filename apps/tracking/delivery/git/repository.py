"""The tracking room: a repository's objects, read by the `git` program: nothing of the repository's own settings is obeyed.

Its objects are looked at from an empty repository beside it, so no hook, filter, external diff or pager that it names is run,
and nothing is written to it. A partial clone fetches nothing: what is missing is said.
"""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from maestro.errors import Invalid

SHA = re.compile(rb"[0-9a-f]{40}(?:[0-9a-f]{24})?")
REF = re.compile(r"[\w./@{}^~+-]{1,250}")
MOST_COMMITS = 500_000
QUIET = {
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "LC_ALL": "C",
}
# A rename is looked for among so many files: more would take the square of them.
RENAMES = ("-M", "-l200")
DIFF = ("--no-color", "--no-textconv", "--no-ext-diff", "--ignore-submodules=all", *RENAMES)


def program() -> str:
    """Find git. Raises Invalid."""
    found = shutil.which("git")
    if found is None:
        raise Invalid("the program git is not installed here", "no_git")
    return found


@dataclass(frozen=True)
class Repository:
    """A repository to be looked at, and the commit that its main line ends with."""

    folder: Path
    head: str

    def lines(self, *arguments: str) -> Iterator[bytes]:
        """Run git and yield what it says, line by line. Raises Invalid if it fails."""
        with tempfile.TemporaryFile() as said:
            command = [program(), f"--git-dir={self.folder}", *arguments]
            run = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=said, env=quiet())
            if run.stdout is None:
                raise Invalid("git says nothing", "bad_repository")
            try:
                yield from run.stdout
                check_end(run, said)
            finally:
                run.kill()
                run.stdout.close()
                run.wait()

    @contextmanager
    def spooled(self, *arguments: str) -> Iterator[Callable[[], Iterator[bytes]]]:
        """Run git beside what else is done, into a file. What is yielded waits for it and reads it."""
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
            command = [program(), f"--git-dir={self.folder}", *arguments]
            run = subprocess.Popen(command, stdout=told, stderr=said, env=quiet())

            def lines() -> Iterator[bytes]:
                check_end(run, said)
                told.seek(0)
                yield from told

            try:
                yield lines
            finally:
                run.kill()
                run.wait()


def check_end(run: "subprocess.Popen[bytes]", said: IO[bytes]) -> None:
    """Wait for git. Raises Invalid with what it said, if it failed."""
    if run.wait() != 0:
        said.seek(0)
        raise Invalid(f"git: {said.read(300).decode(errors='replace').strip()}", "bad_repository")


def quiet() -> dict[str, str]:
    """The environment of git: the program's own way, and nothing of whoever runs it."""
    return {"PATH": os.environ.get("PATH", ""), "HOME": os.devnull} | QUIET


def say(*arguments: str) -> bytes:
    """Run git for a short answer. Raises Invalid."""
    done = subprocess.run([program(), *arguments], capture_output=True, env=quiet(), check=False)
    if done.returncode != 0:
        raise Invalid(f"git: {done.stderr[:300].decode(errors='replace').strip()}", "bad_repository")
    return done.stdout


@contextmanager
def opened(path: Path, ref: str) -> Iterator[Repository]:
    """Look at a repository or a bundle, at a branch, a tag or a commit of it. Raises Invalid."""
    if not REF.fullmatch(ref) or ref.startswith("-"):
        raise Invalid("that is no name of a branch", "bad_ref")
    with tempfile.TemporaryDirectory(prefix="maestro-git-") as made:
        folder = Path(made)
        say("init", "--quiet", "--bare", "--template=", str(folder))
        head = unbundle(path, folder, ref) if path.is_file() else beside(path, folder, ref)
        yield Repository(folder, head)


def unbundle(path: Path, folder: Path, ref: str) -> str:
    """Take a bundle's objects; returns the commit that a ref of it names. Raises Invalid."""
    told = say(f"--git-dir={folder}", "bundle", "unbundle", str(path.resolve())).decode(errors="replace")
    heads = {name: sha for sha, _, name in (line.partition(" ") for line in told.splitlines())}
    found = next((heads[name] for name in (ref, f"refs/heads/{ref}", f"refs/tags/{ref}") if name in heads), None)
    if found is None:
        names = ", ".join(sorted(heads)[:5])
        raise Invalid(f"the bundle has no {ref}; it has {names or 'nothing'}: name one with --ref", "bad_ref")
    return commit(folder, found)


def beside(path: Path, folder: Path, ref: str) -> str:
    """Read a repository's objects where they are; returns the commit that a ref of it names. Raises Invalid."""
    at = path.resolve()
    where = say("-c", f"safe.directory={at}", "-C", str(at), "rev-parse", "--absolute-git-dir", "--git-common-dir")
    home, common = where.decode(errors="surrogateescape").splitlines()[:2]
    objects = (at / common if not Path(common).is_absolute() else Path(common)) / "objects"
    if not objects.is_dir():
        objects = Path(home) / "objects"
    if (objects.parent / "shallow").exists():
        raise Invalid(
            "this clone is shallow: its history is cut off; `git fetch --unshallow` brings the rest", "shallow"
        )
    (folder / "objects" / "info" / "alternates").write_bytes(os.fsencode(f"{objects}\n"))
    named = ("-c", f"safe.directory={at}", f"--git-dir={home}", "rev-parse", "--verify", "--quiet", "--end-of-options")
    return commit(folder, say(*named, f"{ref}^{{commit}}").decode().strip())


def commit(folder: Path, named: str) -> str:
    """The commit that is named, which is there. Raises Invalid."""
    found = say(f"--git-dir={folder}", "rev-parse", "--verify", "--end-of-options", f"{named}^{{commit}}").strip()
    if not SHA.fullmatch(found):
        raise Invalid("that is no commit", "bad_ref")
    return found.decode()
