"""Floor: `make env`: the secrets of a compose installation, generated, in `.env`. There are no defaults."""

import re
import secrets
from pathlib import Path

from maestro.embedded.errors import CannotStart
from maestro.embedded.home import read_env, write_private
from maestro.embedded.supervisor import PROJECT

# `${NAME:?...}` and `${NAME?...}` are what compose refuses to start without.
REQUIRED = re.compile(r"\$\{([A-Z][A-Z0-9_]*):?\?")
SECRET_ENDS = ("PASSWORD", "SECRET", "SECRET_KEY", "ACCESS_KEY", "PEPPER", "TOKEN")


def fill_env(project: Path = PROJECT) -> list[str]:
    """Add what compose.yaml asks for and .env lacks. Returns lines that say what was done."""
    target = project / ".env"
    try:
        wanted = list(dict.fromkeys(REQUIRED.findall((project / "compose.yaml").read_text())))
    except FileNotFoundError as problem:
        raise CannotStart("compose.yaml is missing: run this in the project's folder.") from problem
    present = read_env(target)
    missing = [name for name in wanted if not present.get(name)]
    made = {name: secrets.token_urlsafe(32) for name in missing if name.endswith(SECRET_ENDS)}
    others = [name for name in missing if name not in made]
    old = target.read_text() if target.exists() else "# Made by `make env`. Keep it secret; compose reads it.\n"
    if made:
        # A name that is set to nothing is replaced, and every other line stays as it is.
        kept = [line for line in old.splitlines() if line.partition("=")[0].strip() not in made]
        write_private(target, "\n".join([*kept, *(f"{name}={value}" for name, value in made.items())]) + "\n")
    lines = [f"{target}: generated {', '.join(made)}" if made else f"{target}: nothing to generate"]
    lines += [f"set {name} in it yourself" for name in others]
    return lines
