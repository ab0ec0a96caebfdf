"""The log is pruned by the owner's function alone, as the tenant's retention says, and never by the application."""

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, IntegrityError, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.tenants.access.actions import Act
from apps.tenants.access.audit import pruning
from apps.tenants.access.models import AuditEvent, AuditRetention
from apps.tenants.access.tasks import prune_audit
from apps.tenants.models import Tenant
from maestro.database.session import connection

AGED = """INSERT INTO access_auditevent (id, at, action, actor, role, object_type, object_id, request_id)
 SELECT gen_random_uuid(), now() - make_interval(days => n %% %(days)s, secs => n), 'thing.' || n %% 7, 'key:' || n %% 50,
  'admin', 'Thing', n, 'request-' || n FROM generate_series(1, %(rows)s) n"""
ATTACKS = {
    "UPDATE access_auditevent SET actor = 'x'": "permission denied",
    "DELETE FROM access_auditevent": "permission denied",
    "SET maestro.pruning = 'on'; DELETE FROM access_auditevent": "permission denied",
    "TRUNCATE access_auditevent": "permission denied",
    "DROP TABLE access_auditevent": "must be owner",
    "ALTER TABLE access_auditevent DISABLE TRIGGER ALL": "must be owner",
    "ALTER TABLE access_auditevent ADD COLUMN x int": "must be owner",
    "DROP TRIGGER access_audit_append_only ON access_auditevent": "must be owner",
    "CREATE RULE hide AS ON INSERT TO access_auditevent DO INSTEAD NOTHING": "must be owner",
    "SET session_replication_role = replica": "permission denied",
    "DROP FUNCTION access_prune_audit(integer)": "must be owner",
    "CREATE OR REPLACE FUNCTION access_prune_audit(most integer) RETURNS integer LANGUAGE sql AS 'SELECT 1'": "denied",
    "GRANT DELETE ON access_auditevent TO CURRENT_USER; DELETE FROM access_auditevent": "permission denied",
    # Without temporary tables no name of the caller's own can stand before the function's.
    "CREATE TEMPORARY TABLE access_auditretention (keep_days int)": "permission denied",
    "MERGE INTO access_auditevent e USING (SELECT 1) x ON true WHEN MATCHED THEN DELETE": "permission denied",
    "COPY access_auditevent FROM PROGRAM 'true'": "permission denied",
}


def age(rows: int, days: int) -> None:
    """Write events that are up to so many days old."""
    with connection.cursor() as cursor:
        cursor.execute(AGED, {"rows": rows, "days": days})


@pytest.mark.parametrize("statement", ATTACKS)
def test_the_application_can_not_touch_what_was_recorded(acme: Tenant, statement: str) -> None:
    age(3, 1)
    with pytest.raises(DatabaseError, match=ATTACKS[statement]), transaction.atomic():
        connection.cursor().execute(statement)
    assert AuditEvent.objects.filter(object_type="Thing").count() == 3


@pytest.mark.parametrize("statement", ["UPDATE {} SET actor = 'x'", "DELETE FROM {}", "TRUNCATE {}"])
def test_not_even_the_owner_changes_the_log_by_a_slip(committed: Tenant, statement: str) -> None:
    AuditEvent.objects.record(Act.PERSON_ADD, actor="me")
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner, pytest.raises(psycopg.errors.InsufficientPrivilege):
        owner.execute(statement.format(f'"{committed.schema_name}".access_auditevent'))
    assert AuditEvent.objects.filter(actor="me").exists()


def test_without_a_retention_everything_is_kept(acme: Tenant) -> None:
    age(50, 5_000)
    assert pruning.prune() == 0
    AuditRetention.objects.create(keep_days=None)
    assert pruning.prune() == 0
    assert AuditEvent.objects.filter(object_type="Thing").count() == 50


def test_what_is_older_goes_and_that_is_written_down(acme: Tenant) -> None:
    age(100, 100)
    AuditRetention.objects.create(keep_days=60)
    edge = timezone.now() - timedelta(days=60)
    old = AuditEvent.objects.filter(at__lt=edge)
    expected, newest = old.count(), old.first().at
    assert pruning.preview() == {"keep_days": 60, "events": expected}
    assert pruning.prune(batch=15) == expected > 30
    assert not old.exists()
    assert AuditEvent.objects.filter(object_type="Thing").count() == 100 - expected
    told = list(AuditEvent.objects.filter(action="audit.prune").order_by("at"))
    assert [event.before["events"] for event in told] == [15] * (expected // 15) + [expected % 15] * bool(expected % 15)
    assert told[-1].before["until"][:19] == newest.isoformat()[:19]
    assert told[0].after == {"keep_days": 60}
    assert told[0].actor == "database:maestro_app"


@pytest.mark.parametrize("days", [0, 1, 29, 36_501])
def test_the_database_keeps_thirty_days_at_least(acme: Tenant, days: int) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AuditRetention.objects.create(keep_days=days)


def test_pruning_acme_leaves_globex_alone(acme: Tenant, globex: Tenant) -> None:
    age(20, 400)
    AuditRetention.objects.create(keep_days=30)
    assert prune_audit(schema="acme") == 0
    connection.set_tenant(globex)
    assert AuditEvent.objects.filter(object_type="Thing").count() == 20


def test_the_command_counts_first(committed: Tenant) -> None:
    age(10, 400)
    AuditRetention.objects.create(keep_days=30)

    def told(*words: str) -> dict[str, object]:
        out = StringIO()
        call_command("prune_audit", "--tenant", committed.slug, "--output", "json", *words, stdout=out)
        connection.set_tenant(committed)
        found: dict[str, object] = json.loads(out.getvalue())
        return found

    due = pruning.due(timezone.now())
    assert told("--dry-run") == {"keep_days": 30, "due": due, "deleted": 0, "dry_run": True}
    assert told()["deleted"] == due
    assert told()["deleted"] == 0


@pytest.fixture
def auditor(acme: Tenant, django_user_model: Any) -> Client:
    person = django_user_model.objects.create_superuser("auditor", password="x")
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def test_the_page_asks_little_of_a_hundred_thousand_events(auditor: Client) -> None:
    for _ in range(10):
        age(10_000, 300)
    query = ""
    for page in range(3):
        with CaptureQueriesContext(connection) as asked:
            answer = auditor.get(f"/admin/access/auditevent/?actor=key:7&{query}")
        assert answer.status_code == 200
        assert len(asked) <= 12, [one["sql"] for one in asked]
        assert len(answer.context["events"]) == 100, page
        query = answer.context["next_query"]
    sql = str(AuditEvent.objects.filter(actor="key:7").order_by("-at", "-id")[:101].query).replace("key:7", "'key:7'")
    with connection.cursor() as cursor:
        # Nobody analysed these rows: the planner may think that few fit, and sort them, or read all by their time.
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_incremental_sort = off")
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'access_audit_actor' LIMIT 1")
        assert "(actor, at, id)" in cursor.fetchone()[0]
        cursor.execute(f"EXPLAIN {sql}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "access_audit_actor" in plan or "access_audit_time" in plan, plan
    assert "Sort" not in plan, plan
    assert "Sort" not in plan, plan


def test_pages_join_without_gap_or_repeat(auditor: Client) -> None:
    age(250, 1)
    seen, query = [], "object_type=Thing"
    while query:
        answer = auditor.get(f"/admin/access/auditevent/?{query}")
        seen += [event.pk for event in answer.context["events"]]
        query = answer.context["next_query"]
    assert len(seen) == len(set(seen)) == 250


@pytest.mark.parametrize("query", ["since=yesterday", "cursor=x", "until=2024-01-01", "cursor=a:b"])
def test_a_bad_search_is_told_on_the_page(auditor: Client, query: str) -> None:
    answer = auditor.get(f"/admin/access/auditevent/?{query}")
    assert answer.status_code == 200
    assert answer.context["refusal"]


def test_a_viewer_does_not_see_the_log(acme: Tenant, django_user_model: Any) -> None:
    person = django_user_model.objects.create_user("looker", password="x", is_staff=True)
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    assert client.get("/admin/access/auditevent/").status_code == 403
