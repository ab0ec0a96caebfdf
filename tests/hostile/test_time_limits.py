"""A session that waits too long is ended by Postgres: by the statement, by the lock, and idle in a transaction."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.utils import load_backend

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config import settings as product

EXPECTED = {"statement_timeout": "15s", "lock_timeout": "5s", "idle_in_transaction_session_timeout": "1min"}


PATIENCE = {"database": 3, "owner": 5, "lock": 5, "egress": 5, "egress_piece": 30, "turn": 30}
PATIENCE |= {"queue": 1, "connect": 2, "forget": 5, "password": 2}


@pytest.fixture
def impatient(acme: Tenant) -> Iterator[Any]:
    """A session as the product opens it; the tests' own wait longer."""
    there = settings.DATABASES["default"] | {"OPTIONS": product.DATABASES["default"]["OPTIONS"]}
    link = load_backend("maestro.database").DatabaseWrapper(there, alias="impatient")
    yield link
    link.close()


def shown(link: Any) -> dict[str, Any]:
    with link.cursor() as cursor:
        return {name: cursor.execute(f"SHOW {name}").fetchone()[0] for name in EXPECTED}


def test_each_session_has_its_limits_whatever_the_tenant(impatient: Any, acme: Tenant) -> None:
    impatient.set_tenant(acme)
    assert shown(impatient) == EXPECTED
    impatient.set_schema_to_public()
    assert shown(impatient) == EXPECTED
    assert impatient.settings_dict["OPTIONS"]["connect_timeout"] == 3


def test_the_product_waits_for_each_server_as_long_as_it_says_and_the_tests_much_longer() -> None:
    assert product.PATIENCE == PATIENCE
    assert (product.STATEMENT_TIMEOUT_MS, product.COUNTING_SECONDS, product.EMAIL_TIMEOUT) == (15_000, 0.25, 10)
    assert settings.PATIENCE.keys() == PATIENCE.keys()
    assert min(settings.PATIENCE.values()) >= 60
    assert min(settings.COUNTING_SECONDS, settings.EMAIL_TIMEOUT) >= 60
    assert settings.STATEMENT_TIMEOUT_MS >= 120_000


def test_a_statement_that_runs_too_long_is_ended(acme: Tenant) -> None:
    with pytest.raises(OperationalError, match="statement timeout"), transaction.atomic():
        connection.cursor().execute("SET LOCAL statement_timeout = 50; SELECT pg_sleep(30)")
    assert Project.objects.count() >= 0


def test_a_lock_is_not_waited_for_without_end(committed: Tenant) -> None:
    with psycopg.connect(settings.OWNER_DATABASE_URL) as other:
        other.execute(f'LOCK TABLE "{committed.schema_name}".tracking_project IN ACCESS EXCLUSIVE MODE')
        with pytest.raises(OperationalError, match="lock timeout"), transaction.atomic():
            connection.cursor().execute("SET LOCAL lock_timeout = 50; SELECT * FROM tracking_project")


def test_a_session_that_idles_in_a_transaction_is_ended(db: None) -> None:
    link, other = (psycopg.connect(settings.DATABASE_URL) for _ in range(2))
    link.execute("SET idle_in_transaction_session_timeout = 50")
    link.execute("SELECT 1")
    other.execute("SELECT pg_sleep(0.5)")
    other.close()
    with pytest.raises(psycopg.Error, match="idle-in-transaction timeout"):
        link.execute("SELECT 1")
    link.close()
