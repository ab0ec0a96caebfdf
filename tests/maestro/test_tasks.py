"""A tenant's task whose database session is ended is one to be tried again, and not a failure."""

import psycopg
import pytest
from django.db import OperationalError, connection, transaction

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.database.statements import execute
from maestro.errors import Unavailable
from maestro.tasks import in_tenant, tenant_task
from tests import servers


def end_own_session() -> None:
    """End the session that this connection holds, as a restart of Postgres would."""
    pid = connection.connection.info.backend_pid
    with psycopg.connect(servers.start_postgres().dsn_super, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])


def count_projects() -> int:
    return Project.objects.count()


def make_and_break() -> int:
    with transaction.atomic():
        Project.objects.create(slug="half")
        end_own_session()
        return Project.objects.count()


def break_below_django() -> int:
    end_own_session()
    return len(execute("SELECT 1", {}))


BODIES = {
    "before the task": count_projects,
    "in its transaction": make_and_break,
    "in a hot statement": break_below_django,
}


@pytest.mark.parametrize("moment", BODIES)
def test_a_task_whose_session_is_ended_may_be_tried_again(committed: Tenant, moment: str) -> None:
    body = BODIES[moment]
    task = tenant_task(name=f"tests.{body.__name__}")(body)
    if body is count_projects:
        end_own_session()
    with pytest.raises(Unavailable) as refusal:
        task(schema=committed.schema_name)
    assert isinstance(refusal.value.__cause__, OperationalError | psycopg.OperationalError)
    assert Unavailable in task.autoretry_for
    # What a worker does before each task.
    connection.close_if_unusable_or_obsolete()
    assert in_tenant(count_projects)(schema=committed.schema_name) == 1
