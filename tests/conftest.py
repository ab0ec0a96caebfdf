"""What every test may ask for: two tenants made once (acme, globex), fresh ones, keys, clients and a real server.

The first worker makes a template database through the operators' own commands; each worker clones it.
"""

import itertools
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.cache import caches
from django.db import connections
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants import provisioning, routing
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.models import ApiKey
from apps.tenants.models import Tenant
from maestro import storage
from maestro.database.session import connection
from tests import servers, template_cache
from tests.grouping import pytest_xdist_make_scheduler  # noqa: F401 a hook
from tests.web import WebServer, environment, start_web

# A shell starts what it puts in the background with interrupts ignored, and so would be all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The stock client would tell its makers of each test, and its thread for that changes the environment under others' hands:
# `urllib` then fails with a KeyError now and then while it looks for proxies.
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

# Compiled modules are kept, also where the environment says otherwise: else each server and command that a test starts
# would compile all of Django, and each client all of mlflow.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

TEMPLATE = "maestro_template"
ROOT = Path(__file__).resolve().parent.parent
counter = itertools.count(1)


def make_template(folder: Path) -> None:
    """Make the template database once a session, as an operator would."""
    servers.start_postgres()
    with servers.session_lock("template"):
        mark = servers.session_folder() / "template-is-made"
        if mark.exists():
            return
        servers.create_database(TEMPLATE)
        if template_cache.restore(TEMPLATE):
            mark.touch()
            return
        tenants = ["--ensure-tenant", "acme", "--ensure-tenant", "globex"]
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), "migrate_tenants", *tenants],
            env=os.environ | environment(TEMPLATE, folder, home=folder / "home"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        template_cache.keep(TEMPLATE)
        mark.touch()


@pytest.fixture(scope="session")
def test_environment(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, str]:
    """The environment of this worker's own database, Valkey database and folder of bytes."""
    folder = tmp_path_factory.mktemp("maestro")
    make_template(folder)
    name = f"maestro_{worker_id}"
    servers.clone_database(TEMPLATE, name)
    values = environment(name, folder, home=folder / "home")
    number = int(worker_id.removeprefix("gw")) + 1 if worker_id.startswith("gw") else 1
    values["MAESTRO_REDIS_URL"] = values["MAESTRO_REDIS_URL"].rsplit("/", 1)[0] + f"/{number}"
    return values


@pytest.fixture(scope="session")
def django_db_setup(test_environment: dict[str, str], django_db_blocker: Any) -> None:
    """Point this process at its own database instead of letting Django make one."""
    values = test_environment
    parts = django_settings.DATABASES["default"] | parse_database(values["MAESTRO_DATABASE_URL"])
    connections.databases["default"].update(parts)
    connection.settings_dict.update(parts)
    django_settings.OWNER_DATABASE_URL = values["MAESTRO_OWNER_DATABASE_URL"]
    django_settings.DATABASE_URL = values["MAESTRO_DATABASE_URL"]
    django_settings.DATABASE_LOGIN = "maestro_app"
    django_settings.REDIS_URL = values["MAESTRO_REDIS_URL"]
    django_settings.CACHES["default"]["LOCATION"] = values["MAESTRO_REDIS_URL"]
    with suppress(AttributeError):
        del caches["default"]
    django_settings.STORAGE_URL = values["MAESTRO_STORAGE"]
    storage.backend.cache_clear()


def parse_database(url: str) -> dict[str, Any]:
    """Read a DSN as Django's settings do."""
    from config import env  # noqa: PLC0415 config is the roof; only this line needs it

    return env.database(url)


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Let no test see what another left in this process's memory."""
    forget_keys()
    routing.forget()
    yield
    if connection.schema_name != "public":
        connection.set_schema_to_public()


def enter(slug: str) -> Iterator[Tenant]:
    """Stand in a tenant for the time of a test."""
    connection.set_schema_to_public()
    tenant = Tenant.objects.get(slug=slug)
    with tenant_context(tenant):
        yield tenant


@pytest.fixture
def acme(db: None) -> Iterator[Tenant]:
    """Stand in tenant acme; everything is rolled back afterwards."""
    yield from enter("acme")


@pytest.fixture
def globex(db: None) -> Iterator[Tenant]:
    """Stand in the other tenant. Asked for after acme, it is the one the test stands in."""
    yield from enter("globex")


@pytest.fixture
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[Tenant]:
    """A fresh tenant whose rows are really committed: for threads, servers and workers. Erased afterwards."""
    with django_db_blocker.unblock():
        yield from fresh_tenant()


@pytest.fixture
def other_committed(committed: Tenant, django_db_blocker: Any) -> Iterator[Tenant]:
    """A second fresh tenant beside `committed`; the test still stands in the first."""
    with django_db_blocker.unblock():
        maker = fresh_tenant()
        other = next(maker)
        with tenant_context(committed):
            yield other
        next(maker, None)


def fresh_tenant() -> Iterator[Tenant]:
    """Make, lend and erase a tenant."""
    connection.set_schema_to_public()
    tenant = provisioning.create(f"fresh-{os.getpid()}-{next(counter)}")
    try:
        with tenant_context(tenant):
            yield tenant
    finally:
        connection.set_schema_to_public()
        provisioning.erase(tenant.slug)
        connection.close()


@pytest.fixture
def key_for() -> Callable[..., str]:
    """Issue an API key: key_for(tenant, "viewer") -> text."""

    def issue(tenant: Tenant, role: str = "contributor", **options: Any) -> str:
        with tenant_context(tenant):
            return ApiKey.objects.issue(slug=tenant.slug, name=role, role=role, at=timezone.now(), **options)[1]

    return issue


@pytest.fixture
def api(key_for: Callable[..., str]) -> Callable[..., Client]:
    """A test client that speaks as a key of a tenant: api(acme, "viewer").get("/api/v1/projects/")."""

    def client(tenant: Tenant, role: str = "contributor", **options: Any) -> Client:
        key = key_for(tenant, role, **options)
        host = f"{tenant.slug}.localhost"
        return Client(raise_request_exception=True, headers={"authorization": f"Bearer {key}", "host": host})

    return client


@pytest.fixture(scope="session")
def web(test_environment: dict[str, str], django_db_setup: None) -> Iterator[WebServer]:
    """A real granian on this worker's database; use it with `committed` tenants."""
    server = start_web(test_environment)
    yield server
    server.stop()
