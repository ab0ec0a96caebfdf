"""The tenants room's commands: asking an operator twice before what can't be taken back, and who they are."""

import getpass
import sys

from maestro.errors import Invalid

CONFIRM_HELP = "do not ask to type the tenant's name; needed where nobody sits at a terminal"


def confirmed(slug: str, what: str, *, yes: bool) -> None:
    """Have the tenant's name typed. Raises Invalid for anything else, and without a terminal or --yes."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise Invalid("nobody is here to confirm this: add --yes", "not_confirmed")
    sys.stderr.write(f"This will {what}.\nType the tenant's name to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != slug:
        raise Invalid("that is not the tenant's name; nothing was done", "not_confirmed")


def operator() -> str:
    """Name who runs this process, as far as the system knows."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return "operator"
