"""The tenants room: the empty tenant as SQL, per head of the migrations.

A new tenant is that SQL with the schema's name put in: 0.2 s instead of the seconds that migrations take.
"""

import hashlib
import os
import re
import subprocess
import sys
from functools import lru_cache
from importlib.util import find_spec
from pkgutil import iter_modules
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg
from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from apps.tenants.models import TemplateSchema
from maestro.embedded.programs.binaries import postgres_folder
from maestro.errors import Unavailable

TEMPLATE = "__template"
TOKEN = re.compile(rf"\b{TEMPLATE}\b")
SEEDED = (
    "django_migrations",
    "django_content_type",
    "auth_permission",
    "auth_group",
    "auth_group_permissions",
)
BEGINS_WITH = ("tracking_project", "tracking_experiment", "registry_gate")
NOISE = re.compile(r"^(SET |SELECT pg_catalog\.set_config|\\|--|$)")


@lru_cache(maxsize=1)
def current_head() -> str:
    """Digest the names of all migrations that a tenant's schema should have.

    Each web worker asks. The files' names tell; loaded, the migrations would stay in its memory.
    """
    labels = sorted(config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS)
    names = sorted(f"{label}.{name}" for label in labels for name in migration_names(label))
    return hashlib.sha256("\n".join(names).encode()).hexdigest()


def migration_names(label: str) -> list[str]:
    """Name an app's migrations as Django finds them."""
    found = find_spec(str(MigrationLoader.migrations_module(label)[0]))
    places = (found.submodule_search_locations or []) if found else []
    return [one.name for one in iter_modules(places) if not one.ispkg and one.name[0] not in "_~"]


def dump(owner_url: str) -> str:
    """Dump the template schema: its tables, and the rows that every tenant begins with."""
    tables = [f"--table={TEMPLATE}.{name}" for name in (*SEEDED, *BEGINS_WITH)]
    common = ["--no-owner", "--no-acl", "--no-comments"]
    schema = run_pg_dump(owner_url, ["--schema-only", f"--schema={TEMPLATE}", *common])
    rows = run_pg_dump(owner_url, ["--data-only", "--inserts", *tables, *common])
    lines = (line for line in (schema + rows).splitlines() if not NOISE.match(line))
    return "\n".join(lines)


def run_pg_dump(owner_url: str, options: list[str]) -> str:
    """Run pg_dump, its password by the environment, where no process list shows it. Raises Unavailable."""
    parts = urlsplit(owner_url)
    address = urlunsplit(parts._replace(netloc=f"{parts.username}@{parts.hostname}:{parts.port or 5432}"))
    command = [str(postgres_folder(None, settings.HOME) / "pg_dump"), f"--dbname={address}", *options]
    secret = {"PGPASSWORD": unquote(parts.password or "")}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | secret)
    if done.returncode:
        complaint = done.stderr.strip().splitlines()
        raise Unavailable(f"pg_dump failed: {complaint[0] if complaint else done.returncode}")
    return done.stdout


def sql_for(schema: str, ddl: str) -> str:
    """Put a schema's name into the template."""
    quoted = psycopg.sql.Identifier(schema).as_string(None)
    return TOKEN.sub(lambda _: quoted, ddl)


def ensure() -> TemplateSchema:
    """Fetch the template of the current head; make it, in a process of the owner's, if there is none."""
    found = TemplateSchema.objects.filter(head=current_head()).first()
    if found is None:
        command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "migrate_tenants", "--template-only"]
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ | settings.CHILD_ENV)
        if done.returncode:
            raise Unavailable(f"the template schema could not be made: {done.stderr.strip()[-500:]}")
        found = TemplateSchema.objects.get(head=current_head())
    return found
