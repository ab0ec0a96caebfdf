"""Bringing a fleet of tenants to the head: what is missing is found, run once each, and failures stay alone."""

import os
import threading
from contextlib import suppress

import psycopg
import pytest
from django.conf import settings
from django_tenants.utils import tenant_context
from psycopg import sql

from apps.tenants import fleet, migrating, provisioning, template
from apps.tenants.models import Tenant
from maestro.database.session import connection
from maestro.errors import AlreadyExists, Unavailable

AUDIT = ("access", "0002_append_only_audit")
TRIGGER = "SELECT count(*) FROM pg_trigger WHERE tgname = 'access_audit_append_only' AND tgrelid = %s::regclass"


def put_behind(schema: str) -> None:
    """Take one migration back by hand, as if the tenant had been made before it."""
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        owner.execute(f'SET search_path = "{schema}"')
        owner.execute("DROP TRIGGER access_audit_append_only ON access_auditevent")
        owner.execute("DROP FUNCTION access_refuse_audit_change() CASCADE")
        owner.execute("DELETE FROM django_migrations WHERE app = %s AND name = %s", AUDIT)
    connection.set_schema_to_public()
    Tenant.objects.filter(schema_name=schema).update(schema_head="old")


def triggers(schema: str) -> int:
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        return owner.execute(TRIGGER, [f'"{schema}".access_auditevent']).fetchone()[0]


@pytest.fixture
def as_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command connects as the owner; the script path needs only the owner's own connection."""
    monkeypatch.setattr(settings, "TENANT_ROLES", True)


def test_tenants_that_lack_the_same_share_one_script(
    committed: Tenant, other_committed: Tenant, as_owner: None
) -> None:
    for tenant in (committed, other_committed):
        put_behind(tenant.schema_name)
    said: list[str] = []
    outcomes = [o for o in migrating.migrate_behind(said.append) if o.schema.startswith("fresh")]
    assert [o.ok for o in outcomes] == [True, True], outcomes
    assert [triggers(t.schema_name) for t in (committed, other_committed)] == [1, 1]
    assert said


def test_the_query_finds_exactly_what_is_missing(committed: Tenant) -> None:
    put_behind(committed.schema_name)
    (group,) = fleet.group_by_missing([committed])
    assert group.missing == (AUDIT,)


def test_a_tenant_that_fails_goes_into_maintenance_alone(committed: Tenant, other_committed: Tenant) -> None:
    for tenant in (committed, other_committed):
        put_behind(tenant.schema_name)
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        owner.execute(
            f"CREATE FUNCTION {committed.schema_name}.access_refuse_audit_change() RETURNS int LANGUAGE sql AS 'SELECT 1'"
        )
    outcomes = {o.schema: o for o in migrating.migrate_behind(lambda line: None)}
    states = dict(Tenant.objects.values_list("schema_name", "state"))
    assert not outcomes[committed.schema_name].ok
    assert outcomes[other_committed.schema_name].ok
    assert states[committed.schema_name] == "maintenance"
    assert states[other_committed.schema_name] == "active"


def test_a_new_tenant_lacks_nothing(committed: Tenant) -> None:
    (group,) = fleet.group_by_missing([committed])
    assert group.missing == ()
    assert provisioning.fetch(committed.slug).schema_head == committed.schema_head


def test_two_that_migrate_take_turns(committed: Tenant) -> None:
    said: list[str] = []
    entered = threading.Event()

    def second() -> None:
        with migrating.alone(migrating.FLEET_LOCK, said.append):
            entered.set()

    with migrating.alone(migrating.FLEET_LOCK):
        thread = threading.Thread(target=second)
        thread.start()
        assert not entered.wait(0.5)
    thread.join(10)
    assert entered.is_set()
    assert said == ["another process is at it: waiting"]


def test_a_database_that_goes_away_puts_nobody_into_maintenance(committed: Tenant, other_committed: Tenant) -> None:
    for tenant in (committed, other_committed):
        put_behind(tenant.schema_name)
    (group,) = fleet.group_by_missing([committed])
    script = fleet.script_for(group)
    owner = psycopg.connect(settings.OWNER_DATABASE_URL)
    with suppress(psycopg.Error):
        owner.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with pytest.raises(Unavailable, match="went away"):
        migrating.migrate_one(owner, committed, script)
    states = set(Tenant.objects.filter(pk__in=[committed.pk, other_committed.pk]).values_list("state", flat=True))
    assert states == {"active"}
    assert {o.ok for o in migrating.migrate_behind(lambda line: None)} == {True}


def test_a_migration_without_tables_grants_nothing_anew(committed: Tenant) -> None:
    script = fleet.Script(
        ("ALTER TABLE tracking_project ADD COLUMN shade text",), (("tracking", "9999_shade"),), False, False
    )
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        fleet.apply(owner, committed.schema_name, script)
    with tenant_context(committed), connection.cursor() as cursor:
        cursor.execute("SELECT shade FROM tracking_project")
        assert cursor.fetchall() == [(None,)]


def test_a_creation_that_was_killed_can_be_repeated(committed: Tenant) -> None:
    left = f"left-{os.getpid()}"
    schema = left.replace("-", "_")
    connection.set_schema_to_public()
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        provisioning.make_schema(owner, schema, template.ensure().ddl)
        owner.execute(sql.SQL("CREATE TABLE {} ()").format(sql.Identifier(schema, "half_made")))
    made = provisioning.create(left)
    try:
        with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
            assert owner.execute("SELECT to_regclass(%s)", [f"{schema}.half_made"]).fetchone() == (None,)
            assert owner.execute("SELECT to_regclass(%s)", [f"{schema}.tracking_run"]).fetchone() != (None,)
        assert made.is_active
    finally:
        provisioning.erase(left)


def test_a_schema_that_is_not_ours_is_not_taken(committed: Tenant) -> None:
    name = f"theirs{os.getpid()}"
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        owner.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        with pytest.raises(AlreadyExists):
            provisioning.create(name)
        assert owner.execute("SELECT to_regnamespace(%s)", [name]).fetchone() != (None,)
        owner.execute(sql.SQL("DROP SCHEMA {}").format(sql.Identifier(name)))
    assert not Tenant.objects.filter(slug=name).exists()


def test_a_tenant_may_lack_migrations_of_several_rooms(committed: Tenant) -> None:
    missing = tuple(name for name in fleet.wanted_names() if not name[1].startswith("0001") and name[0] != "auth")
    assert len({room for room, _ in missing}) > 2
    script = fleet.script_for(fleet.Group(missing, (committed,)))
    assert script is None or script.names == missing
    quick = tuple(name for name in missing if name != ("contenttypes", "0002_remove_content_type_name"))
    script = fleet.script_for(fleet.Group(quick, (committed,)))
    assert script is not None
    assert any("tracking_savedview" in line for line in script.statements)
    connection.set_schema_to_public()
