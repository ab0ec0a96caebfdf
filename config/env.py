"""The roof: typed readers of the environment. A secret may also come from a file (NAME_FILE).

Outside a container, a command that finds no MAESTRO_DATABASE_URL reads the settings of the embedded
servers, which `python -m maestro.embedded` writes to `.maestro/server.env`.
"""

import ipaddress
import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

ROOT = Path(__file__).resolve().parent.parent


def home() -> Path:
    """Say where the embedded servers keep their data and generated secrets."""
    return Path(os.environ.get("MAESTRO_HOME") or ROOT / ".maestro")


def load_server_env() -> None:
    """Read `.maestro/server.env` into the environment unless a database is named already."""
    path = home() / "server.env"
    if os.environ.get("MAESTRO_DATABASE_URL") or os.environ.get("MAESTRO_DATABASE_URL_FILE"):
        return
    if not path.is_file() or not os.access(path, os.R_OK):
        return
    for line in path.read_text().splitlines():
        name, found, value = line.partition("=")
        if found and not line.startswith("#"):
            os.environ.setdefault(name.strip(), value.strip())


def text(name: str, default: str | None = None) -> str:
    """Read a text. Raises ImproperlyConfigured if it is unset and has no default."""
    value = os.environ.get(name)
    if value is not None and value != "":
        return value
    if default is None:
        raise ImproperlyConfigured(f"{name} is not set; see docs/operators.md, or start with `make demo`")
    return default


def flag(name: str, default: bool) -> bool:
    """Read 1/0, true/false, yes/no, on/off."""
    value = text(name, "1" if default else "0").lower()
    if value in {"1", "true", "yes", "on"}:
        return True
    if value in {"0", "false", "no", "off"}:
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}")


def number(name: str, default: int, least: int = 0) -> int:
    """Read a whole number of at least `least`."""
    value = text(name, str(default))
    if not value.isdecimal() or int(value) < least:
        raise ImproperlyConfigured(f"{name} must be a whole number of at least {least}, not {value!r}")
    return int(value)


def networks(name: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Read addresses and networks separated by commas; none if it is unset."""
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text(name, " ").split(",") if part.strip())
    except ValueError as error:
        raise ImproperlyConfigured(f"{name} must hold addresses or networks, separated by commas: {error}") from error


def secret(name: str, default: str | None = None) -> str:
    """Read a secret from NAME, or from the file that NAME_FILE names."""
    path = os.environ.get(f"{name}_FILE")
    if not path:
        return text(name, default)
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}_FILE={path} can't be read: {error.strerror}") from error


def secrets(name: str) -> list[str]:
    """Read secrets separated by spaces or lines, from NAME or from the file that NAME_FILE names; none if it is unset."""
    return secret(name, " ").split()


def database(url: str) -> dict[str, str | int]:
    """Turn postgresql://user:password@host:port/name into Django's words."""
    parts = urlsplit(url)
    if parts.scheme not in {"postgres", "postgresql"} or not parts.path.strip("/"):
        raise ImproperlyConfigured("MAESTRO_DATABASE_URL must look like postgresql://user:password@host:port/name")
    return {
        "NAME": unquote(parts.path.strip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or 5432,
    }


def session_options(statement_ms: int, *, lock_seconds: float, idle_seconds: float) -> str:
    """Say what Postgres is to hold each session to."""
    limits = {
        "statement_timeout": statement_ms,
        "lock_timeout": int(lock_seconds * 1000),
        "idle_in_transaction_session_timeout": int(idle_seconds * 1000),
        # Only our own hot statements are prepared (maestro/database/statements.py): planned once, for any values.
        "plan_cache_mode": "force_generic_plan",
        # What is asked for is in memory or on a disk without a head to move. It also makes the planner walk an index to
        # the limit on tables that nobody has analysed yet, where it would otherwise read and sort a whole experiment.
        "random_page_cost": "1.0",
    }
    return " ".join(f"-c {name}={value}" for name, value in limits.items())
