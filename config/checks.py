"""The roof: what must be true before Maestro serves anybody: our part of `manage.py check --deploy`, and the start-up gate.

Outside debug the web server refuses to start on an error, in one line that says what to do.

Source  SECURITY requirements R12, R23 and classes D2, P7
"""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.apps import AppConfig
from django.conf import settings
from django.core import checks
from django.core.exceptions import ImproperlyConfigured

from apps.tenants.template import current_head
from config.routes import require_declared_roles

logger = logging.getLogger("maestro.start")
LEAST_CHARS = 32
LEAST_KINDS = 10
KNOWN = ("changeme", "change-me", "secret", "password", "insecure", "default", "example", "test-only", "1234567890")
HERE = ("localhost", "127.0.0.1", "::1")


def secret_faults(name: str, value: str) -> Iterator[str]:
    """Say what is weak about a secret, without showing it."""
    if len(value) < LEAST_CHARS or len(set(value)) < LEAST_KINDS:
        yield f"{name} is weak: it needs {LEAST_CHARS} random characters; `make env` makes them"
    elif any(word in value.lower() for word in KNOWN):
        yield f"{name} looks like a known or example value; `make env` makes random ones"


def is_local() -> bool:
    """Say whether this installation is for one machine only, as the demo is."""
    return settings.BASE_HOST in HERE


def settings_faults() -> Iterator[tuple[str, str]]:
    """List what is wrong with the settings alone: (check id, sentence)."""
    secrets = (("E001", "SECRET_KEY"), ("E002", "KEY_PEPPER"), ("E003", "METRICS_TOKEN"))
    for code, name in secrets:
        value = getattr(settings, name)
        for fault in secret_faults(f"MAESTRO_{name}", value) if value or name != "METRICS_TOKEN" else ():
            yield f"maestro.{code}", fault
    for code, name in (("E001", "SECRET_KEY_FALLBACKS"), ("E002", "KEY_PEPPER_FALLBACKS")):
        for value in getattr(settings, name):
            yield from ((f"maestro.{code}", fault) for fault in secret_faults(f"MAESTRO_{name}", value))
    if settings.SECRET_KEY == settings.KEY_PEPPER:
        yield "maestro.E002", "MAESTRO_KEY_PEPPER must differ from MAESTRO_SECRET_KEY"
    yield from proxy_faults()
    if not is_local():
        yield from reach_faults()


def proxy_faults() -> Iterator[tuple[str, str]]:
    """List what is wrong with whom we believe."""
    if settings.TLS and not settings.TRUSTED_PROXIES:
        yield "maestro.E006", "MAESTRO_TLS needs MAESTRO_TRUSTED_PROXIES: whose X-Forwarded-Proto is believed"
    if any(network.prefixlen == 0 for network in settings.TRUSTED_PROXIES):
        yield "maestro.E006", "MAESTRO_TRUSTED_PROXIES trusts the whole world"


def reach_faults() -> Iterator[tuple[str, str]]:
    """List what a host that others can reach must not have."""
    if settings.DEBUG:
        yield "maestro.E004", "MAESTRO_DEBUG is on for a host that others can reach; unset it"
    if not settings.TLS:
        yield (
            "maestro.E005",
            "MAESTRO_TLS is off: set it to 1 behind a proxy that ends TLS, and MAESTRO_TRUSTED_PROXIES",
        )
    if "*" in settings.ALLOWED_HOSTS:
        yield "maestro.E007", "MAESTRO_HOSTS must name hosts, not *"


def login_faults(link: psycopg.Connection[Any]) -> Iterator[tuple[str, str]]:
    """Ask Postgres what the application's login may do: it must own nothing and rule nothing."""
    row = link.execute(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolinherit FROM pg_roles WHERE rolname = current_user"
    ).fetchone()
    if row and any(row[:4]):
        yield "maestro.E010", "the application's database login is a superuser or may make roles; use maestro_app"
    if row and row[4]:
        yield "maestro.E010", "the application's database login inherits the tenants' rights; make it NOINHERIT"


PROBE = "SELECT pg_backend_pid(), current_setting('maestro.probe', true)"


def pooler_faults(dsn: str) -> Iterator[tuple[str, str]]:
    """Find out whether sessions are really ours: two of them must be two backends, and keep what they were told.

    A pooler in transaction mode gives a transaction the backend of another's last one, and so another tenant's path.
    They do not ask in turns: a pooler that deals its backends out in a circle would look right.
    """
    with psycopg.connect(dsn, connect_timeout=settings.PATIENCE["database"], autocommit=True) as one:
        first = one.execute("SELECT pg_backend_pid(), set_config('maestro.probe', 'mine', false)").fetchone()
        with psycopg.connect(dsn, connect_timeout=settings.PATIENCE["database"], autocommit=True) as two:
            asked = [link.execute(PROBE).fetchone() for link in (two, two, one, one, two, one)]
    mine = [asked[at] for at in (2, 3, 5)]
    theirs = {asked[at] or (0, "mine") for at in (0, 1, 4)}
    if (
        not first
        or mine != [first] * 3
        or len(theirs) != 1
        or any(pid == first[0] or said == "mine" for pid, said in theirs)
    ):
        yield (
            "maestro.E011",
            "the database is behind a pooler in transaction mode, which mixes tenants up; use session mode",
        )


def database_faults() -> Iterator[tuple[str, str]]:
    """List what is wrong with the database's login and the way to it. Raises psycopg.Error if it does not answer."""
    with psycopg.connect(settings.DATABASE_URL, connect_timeout=settings.PATIENCE["database"]) as link:
        yield from login_faults(link)
    yield from pooler_faults(settings.DATABASE_URL)


def schema_faults(link: psycopg.Connection[Any], head: str) -> Iterator[tuple[str, str]]:
    """List tenants whose schema is not at the head of the migrations; they alone answer 503."""
    rows = link.execute(
        "SELECT slug FROM tenants_tenant WHERE schema_head <> %s AND state <> 'erasing' LIMIT 20", [head]
    )
    behind = ", ".join(slug for (slug,) in rows.fetchall())
    if behind:
        yield "maestro.W020", f"not at the head of the migrations: {behind}; run `manage.py migrate_tenants`"


@checks.register(checks.Tags.security, deploy=True)
def check_settings(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The settings' part of `check --deploy`."""
    return [checks.Error(fault, id=code) for code, fault in settings_faults()]


@checks.register(checks.Tags.security, deploy=True)
def check_database(*, app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[checks.CheckMessage]:
    """The database's part of `check --deploy`."""
    try:
        found: list[checks.CheckMessage] = [checks.Error(fault, id=code) for code, fault in database_faults()]
        with psycopg.connect(settings.DATABASE_URL, connect_timeout=settings.PATIENCE["database"]) as link:
            found += [checks.Warning(fault, id=code) for code, fault in schema_faults(link, current_head())]
    except psycopg.Error as error:
        return [checks.Error(f"the database does not answer: {str(error).splitlines()[0]}", id="maestro.E012")]
    return found


def refuse_unsafe_start() -> None:
    """Stop the start on anything that would let the wrong people in. Raises ImproperlyConfigured with one line.

    A database that does not answer yet is no reason to stay away: requests get 503 until it does.
    """
    require_declared_roles()
    faults = list(settings_faults())
    try:
        faults += database_faults()
    except psycopg.Error as error:
        logger.warning("starting before the database answers: %s", str(error).splitlines()[0])
    if faults and not settings.DEBUG:
        raise ImproperlyConfigured("; ".join(f"{fault} ({code})" for code, fault in faults))
    for code, fault in faults:
        logger.warning("%s (%s)", fault, code)
