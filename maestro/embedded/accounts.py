"""Floor: as whom a server runs. Postgres refuses to run as root, and nothing else here needs to."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFERRED = ("postgres", "nobody")


@dataclass(frozen=True)
class Account:
    """A system user that servers run as when we are root."""

    name: str
    uid: int
    gid: int

    def popen_options(self) -> dict[str, Any]:
        """What subprocess needs to drop to this user, without any group of root's."""
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_read(self, path: Path) -> bool:
        """True if this user reaches `path` through every folder above it."""
        done = subprocess.run(["/usr/bin/test", "-r", str(path)], cwd="/", check=False, **self.popen_options())
        return done.returncode == 0


def server_account() -> Account | None:
    """Return the user to drop to, or None when we are an ordinary user already."""
    if os.geteuid() != 0:
        return None
    for name in PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if entry.pw_uid != 0:
            return Account(name=name, uid=entry.pw_uid, gid=entry.pw_gid)
    return Account(name="65534", uid=65534, gid=65534)


def give(path: Path, account: Account | None) -> None:
    """Make `account` the owner of a folder; nothing to do for an ordinary user."""
    if account is not None:
        os.chown(path, account.uid, account.gid)
