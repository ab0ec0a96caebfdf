"""Whatever code runs, in a request of either door, an admin page or a task: Postgres itself refuses another schema."""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import ProgrammingError, transaction
from django.test import Client

from apps.tenants.models import Tenant
from maestro.database.session import connection
from maestro.tasks import in_tenant

REACHES = (
    "SELECT * FROM acme.tracking_project",
    "SELECT * FROM acme.access_apikey",
    "INSERT INTO acme.tracking_project (slug) VALUES ('x')",
    "DELETE FROM acme.tracking_run",
    "SELECT acme.access_prune_audit(1)",
    "SELECT * FROM public.tenants_tenant",
    "CREATE TABLE public.mine (x int)",
    "SELECT * FROM pg_authid",
)


class Intruder:
    """Runs foreign SQL, once, in the middle of somebody's request, on its own connection."""

    def __init__(self, sql: str) -> None:
        self.sql, self.said, self.busy = sql, "", False

    def stands(self) -> bool:
        """Whether the session has been moved to the tenant, not merely is about to be."""
        return bool(connection.standing) and connection.standing[0] == "globex"

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not self.said and not self.busy and self.stands():
            self.busy = True
            try:
                with transaction.atomic():
                    connection.connection.execute(self.sql)
                self.said = "it worked"
            except Exception as error:  # noqa: BLE001 whatever Postgres says is looked at
                self.said = str(error)
            finally:
                self.busy = False
                connection.standing = None
                connection.search_path_set_schemas = None
        return execute(sql, params, many, context)


def browser(tenant: Tenant) -> Client:
    person = User.objects.create_superuser("boss", password="x")
    client = Client(headers={"host": f"{tenant.slug}.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def by_rest(tenant: Tenant, api: Callable[..., Client]) -> Callable[[], Any]:
    client = api(tenant, "admin")
    return lambda: client.get("/api/v1/projects/")


def by_mlflow(tenant: Tenant, api: Callable[..., Client]) -> Callable[[], Any]:
    client = api(tenant, "admin")
    return lambda: client.get("/api/2.0/mlflow/registered-models/search")


def by_admin(tenant: Tenant, api: Callable[..., Client]) -> Callable[[], Any]:
    client = browser(tenant)
    return lambda: client.get("/admin/tracking/project/")


def by_task(tenant: Tenant, api: Callable[..., Client]) -> Callable[[], Any]:
    return lambda: in_tenant(lambda: list(User.objects.all()))(schema=tenant.schema_name)


@pytest.mark.parametrize("sql", REACHES)
@pytest.mark.parametrize("door", [by_rest, by_mlflow, by_admin, by_task], ids=lambda one: one.__name__)
def test_foreign_sql_is_refused_by_postgres(
    acme: Tenant, globex: Tenant, api: Callable[..., Client], door: Any, sql: str
) -> None:
    call = door(globex, api)
    intruder = Intruder(sql)
    with connection.execute_wrapper(intruder):
        call()
    assert "permission denied" in intruder.said, intruder.said


PARTS = {
    "columns": "SELECT table_name, column_name, data_type, is_nullable FROM information_schema.columns"
    " WHERE table_schema = '{}'",
    "indexes": "SELECT tablename, indexdef FROM pg_indexes WHERE schemaname = '{}'",
    "constraints": "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = '{}'::regnamespace AND contype <> 'n'",
    "triggers": "SELECT c.relname, tgname, tgtype FROM pg_trigger t JOIN pg_class c ON c.oid = tgrelid"
    " WHERE relnamespace = '{}'::regnamespace AND NOT tgisinternal",
    "rights": "SELECT table_name, replace(grantee, '{}', ''), privilege_type FROM"
    " information_schema.table_privileges WHERE table_schema = '{}' AND grantee LIKE 'tenant%'",
}
# Operators have accounts and second factors too.
OF_PEOPLE = ("auth_", "factors_")
OF_DJANGO_IN_BOTH = {"django_migrations", "django_content_type", "django_session", "django_admin_log"}


def catalog(schema: str) -> dict[str, set[tuple[str, ...]]]:
    """What Postgres knows of a schema's tables, without the schema's name."""
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        found = {part: owner.execute(sql.replace("{}", schema)).fetchall() for part, sql in PARTS.items()}
    return {
        part: {tuple(str(value).replace(f"{schema}.", "") for value in row) for row in rows}
        for part, rows in found.items()
    }


def test_tenants_catalogs_are_the_same_and_public_holds_none_of_their_tables(db: None) -> None:
    acme, globex, public = catalog("acme"), catalog("globex"), catalog("public")
    for part in PARTS:
        assert acme[part] == globex[part], part
        assert acme[part], part
    tables = {name for name, *_ in acme["columns"]}
    assert len(tables) > 40
    shared = tables & {name for name, *_ in public["columns"]} - OF_DJANGO_IN_BOTH
    assert {name for name in shared if not name.startswith(OF_PEOPLE)} == set()


def test_a_failed_switch_never_reads_public(acme: Tenant) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute("SET search_path = public; SELECT * FROM tenants_tenant")
