"""A training stands in its own tenant: seen from inside its process, and by what it finds beside a rich neighbour."""

import psycopg
import pytest
from django.conf import settings
from django_tenants.utils import tenant_context
from psycopg import sql

from apps.recommendations import tasks
from apps.recommendations.models import Training
from apps.recommendations.work import leases
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.learning import make_past

pytestmark = pytest.mark.slow
# Every time that a training writes how far it is, this reaches for the neighbour's rows with the rights of that session.
SPY = """
CREATE TABLE {ours}.spied (session integer, role text, found text);
GRANT INSERT, SELECT ON {ours}.spied TO {role};
CREATE FUNCTION {ours}.spy() RETURNS trigger LANGUAGE plpgsql SECURITY INVOKER AS $$
BEGIN
    PERFORM count(*) FROM {theirs}.tracking_project;
    INSERT INTO {ours}.spied VALUES (pg_backend_pid(), current_user, 'read');
    RETURN NEW;
EXCEPTION WHEN insufficient_privilege THEN
    INSERT INTO {ours}.spied VALUES (pg_backend_pid(), current_user, SQLERRM);
    RETURN NEW;
END $$;
CREATE TRIGGER spy BEFORE UPDATE ON {ours}.recommendations_training FOR EACH ROW EXECUTE FUNCTION {ours}.spy();
"""


@pytest.fixture(autouse=True)
def its_environment(test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes that a test starts find its database."""
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)


def train_apart(tenant: Tenant) -> Training:
    """One training by the worker's task, which starts a process for it."""
    with tenant_context(tenant):
        asked, _ = leases.ask(why="asked", force=True)
    assert tasks.train(schema=tenant.schema_name, training=str(asked.pk)) == "done"
    with tenant_context(tenant):
        return Training.objects.get(pk=asked.pk)


def test_a_statement_in_a_training_that_names_the_other_schema_is_refused(
    committed: Tenant, other_committed: Tenant
) -> None:
    make_past(3, prefix="ours")
    with tenant_context(other_committed):
        make_past(25, prefix="theirs")
    names = {
        "ours": sql.Identifier(committed.schema_name),
        "theirs": sql.Identifier(other_committed.schema_name),
        "role": sql.Identifier(f"tenant_{committed.schema_name}"),
    }
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        owner.execute(sql.SQL(SPY).format(**names))
    train_apart(committed)
    with psycopg.connect(settings.OWNER_DATABASE_URL) as owner:
        rows = owner.execute(sql.SQL("SELECT * FROM {ours}.spied").format(**names)).fetchall()
    # The supervisor's session, that of the training's process, and at times that of its heartbeat.
    assert len({session for session, _, _ in rows}) >= 2
    assert len(rows) > 5
    assert {(role, found) for _, role, found in rows} == {
        (f"tenant_{committed.schema_name}", f"permission denied for schema {other_committed.schema_name}")
    }


def test_a_rich_neighbour_of_the_same_names_changes_nothing_that_is_found(
    committed: Tenant, other_committed: Tenant
) -> None:
    make_past(101)
    Project.objects.create(slug="open", name="Open", complexity=40)
    alone = train_apart(committed)
    with tenant_context(other_committed):
        # The same slugs and artifacts, but more projects, and the first artifact does harm.
        make_past(120, runs=2, effect=-30.0, seed=2)
        assert train_apart(other_committed).counts["projects"] == 120
    beside = train_apart(committed)
    assert (beside.data_digest, beside.counts) == (alone.data_digest, alone.counts)
    with tenant_context(committed):
        texts = [dict(one.models.exclude(unit="run").values_list("target", "model_text")) for one in (alone, beside)]
    assert texts[0].keys() == {"impact", "ranking", "success", "duration", "cost", "effort"}
    assert texts[0] == texts[1]
