"""Both walls of the database, tried from inside the other tenant."""

import pytest
from django.db import ProgrammingError, transaction
from django.db.utils import Error
from django_tenants.utils import schema_context, tenant_context

from apps.tenants.access.actions import Act
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project
from maestro.database.session import connection


def test_a_row_of_acme_is_not_there_in_globex(acme: Tenant, globex: Tenant) -> None:
    with tenant_context(acme):
        Project.objects.create(slug="secret", name="secret")
    assert not Project.objects.filter(slug="secret").exists()


def test_a_qualified_name_of_another_schema_is_refused(acme: Tenant, globex: Tenant) -> None:
    with pytest.raises(ProgrammingError, match="permission denied for schema acme"), transaction.atomic():
        connection.cursor().execute("SELECT * FROM acme.tracking_project")


@pytest.mark.parametrize("table", ["tenants_tenant", "auth_user", "django_session", "tenants_domain"])
def test_a_tenant_can_not_read_the_public_schema(globex: Tenant, table: str) -> None:
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(f"SELECT * FROM public.{table}")


def test_a_changed_search_path_does_not_open_the_other_schema(globex: Tenant) -> None:
    with pytest.raises(ProgrammingError), transaction.atomic():
        connection.cursor().execute("SET search_path = acme; SELECT * FROM tracking_project")


def test_the_role_follows_the_tenant_through_savepoints(acme: Tenant) -> None:
    try:
        with transaction.atomic():
            connection.set_tenant(Tenant(schema_name="globex", slug="globex"))
            connection.cursor().execute("SELECT 1")
            raise KeyError
    except KeyError:
        connection.set_tenant(acme)
    row = connection.cursor().execute("SELECT current_user, current_schema()").fetchone()
    assert row == ("tenant_acme", "acme")


def test_a_switch_to_a_missing_schema_raises_instead_of_reading_public(db: None) -> None:
    with pytest.raises(Error), schema_context("nowhere"):
        list(Experiment.objects.all())


def test_no_tenant_table_stands_in_public(db: None) -> None:
    connection.set_schema_to_public()
    query = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'"
    names = {name for (name,) in connection.cursor().execute(query).fetchall()}
    prefixes = ("access_", "tracking_", "registry_", "recommendations_")
    assert not {name for name in names if name.startswith(prefixes)}
    assert "tenants_tenant" in names


@pytest.mark.parametrize("statement", ["UPDATE access_auditevent SET actor = 'x'", "DELETE FROM access_auditevent"])
def test_audit_events_can_not_be_changed(acme: Tenant, statement: str) -> None:
    AuditEvent.objects.record(Act.PERSON_ADD, actor="me")
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        connection.cursor().execute(statement)
    assert AuditEvent.objects.filter(actor="me").exists()
