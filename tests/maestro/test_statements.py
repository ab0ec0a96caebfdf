"""Hot statements: what goes to Postgres comes back, faults are told apart, and plans don't outlive what they were made for."""

import math
import uuid

import psycopg
import pytest
from psycopg.adapt import AdaptersMap

from apps.tenants.models import Tenant
from maestro.database import statements
from maestro.database.arrays import Float8Array, Int8Array, TextArray, UuidArray, teach
from maestro.database.session import connection
from maestro.database.statements import execute
from tests import servers

pytestmark = pytest.mark.usefixtures("committed")
TEXTS = ["", "a", 'with "quotes"', "back\\slash", "{curly, comma}", "NULL", "naïve ☃ 𝄞", " lines\n\ttabs "]


@pytest.mark.parametrize("prepare", [True, False])
def test_arrays_come_back_as_they_went(prepare: bool) -> None:
    identities = [uuid.uuid4(), uuid.UUID(int=0)]
    numbers, doubles = [-(2**63), -1, 0, 2**63 - 1], [1.5, -0.0, math.inf, -math.inf, 5e-324]
    sent = {"i": Int8Array(numbers), "d": Float8Array(doubles), "t": TextArray(TEXTS), "u": UuidArray(identities)}
    ((i, d, t, u),) = execute("SELECT %(i)s, %(d)s, %(t)s, %(u)s", sent, prepare=prepare)
    assert (i.tolist(), t, u) == (numbers, TEXTS, identities)
    assert list(map(repr, d.tolist())) == list(map(repr, doubles))
    empty = {"i": Int8Array([]), "d": Float8Array([math.nan]), "t": TextArray([]), "u": UuidArray([])}
    ((i, d, t, u),) = execute("SELECT %(i)s, %(d)s, %(t)s, %(u)s", empty, prepare=prepare)
    assert (i.tolist(), t, u) == ([], [], [])
    assert math.isnan(d[0])


def test_a_name_may_stand_twice_and_percent_signs_are_doubled() -> None:
    sql = "SELECT %(a)s::text || %(b)s::text || %(a)s::text, 'x' LIKE '%%x', 7 %% 4"
    assert execute(sql, {"a": "1", "b": "2", "unused": object()}) == [("121", True, 3)]
    assert execute("SELECT %(a)s::bigint", {"a": None}) == [(None,)]


def test_a_refused_statement_raises_its_kind_and_the_next_one_runs() -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        execute("SELECT 1 / %(n)s::int", {"n": 0})
    with pytest.raises(psycopg.errors.SyntaxError):
        execute("SELEKT %(n)s::int", {"n": 0})
    assert execute("SELECT 1 / %(n)s::int", {"n": 1}) == [(1,)]


def test_numbers_of_any_size_suit_one_statement() -> None:
    for number in (1, 2**15, 2**31, 2**62, -(2**63)):
        assert execute("SELECT %(n)s::bigint", {"n": number}) == [(number,)]


def test_old_plans_and_plans_beyond_the_most_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    def prepared() -> list[str]:
        rows = execute("SELECT name FROM pg_prepared_statements WHERE name LIKE 'hot%%'", prepare=False)
        return [row[0] for row in rows]

    monkeypatch.setattr(statements, "MOST_PREPARED", len(prepared()) + 2)
    for number in range(5):
        assert execute(f"SELECT %(n)s::int + {number}", {"n": 1}) == [(1 + number,)]
    assert len(prepared()) == statements.MOST_PREPARED
    before = prepared()
    monkeypatch.setattr(statements, "monotonic", lambda: 1e12)
    assert execute("SELECT %(n)s::int + 4", {"n": 1}) == [(5,)]
    assert len(prepared()) == len(before)
    assert prepared() == before  # it was hardly used
    monkeypatch.setattr(statements, "REPLAN_USES", 2)
    assert execute("SELECT %(n)s::int + 4", {"n": 1}) == [(5,)]
    assert len(prepared()) == len(before)
    assert prepared() != before


def own_plans() -> list[str]:
    rows = execute("SELECT statement FROM pg_prepared_statements WHERE name LIKE 'hot%%'", prepare=False)
    return [row[0] for row in rows if "own plan" in row[0]]


def test_a_text_that_is_asked_again_with_the_same_values_is_planned_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statements, "MOST_OWN", 2)
    sql = "SELECT 'own plan', %(n)s::int, count(*) FROM tracking_metrickey WHERE name LIKE %(like)s"
    values = {"n": 1, "like": "own plan \\%%s'"}
    for _ in range(statements.OWN_AFTER):
        assert execute(sql, values, prepare=False) == [("own plan", 1, 0)]
    assert own_plans() == []
    for number in (1, 2, 3):
        for _ in range(statements.OWN_AFTER + 1):
            assert execute(sql, values | {"n": number}, prepare=False) == [("own plan", number, 0)]
    assert len(own_plans()) == 2
    execute("INSERT INTO tracking_metrickey (name) VALUES (%(name)s)", {"name": "own plan %s'"})
    assert execute(sql, values | {"n": 3}, prepare=False) == [("own plan", 3, 1)]
    with pytest.raises(psycopg.errors.DivisionByZero):
        execute("SELECT 'own plan', 1 / %(n)s", {"n": 0}, prepare=False)


def test_a_plan_that_is_kept_reads_the_tenant_that_asks(committed: Tenant, other_committed: Tenant) -> None:
    sql = "SELECT 'own plan', count(*) FROM tracking_metrickey WHERE name = %(name)s"
    for tenant, count in ((committed, 1), (other_committed, 0)) * 2:
        connection.set_tenant(tenant)
        if count:
            execute("INSERT INTO tracking_metrickey (name) VALUES ('walls') ON CONFLICT DO NOTHING", {})
        for _ in range(statements.OWN_AFTER + 1):
            assert execute(sql, {"name": "walls"}, prepare=False) == [("own plan", count)]


def test_a_lost_connection_fails_once_and_is_replaced(committed: Tenant) -> None:
    ((backend,),) = execute("SELECT pg_backend_pid()", {})
    with psycopg.connect(servers.start_postgres().dsn_super, autocommit=True) as owner:
        owner.execute("SELECT pg_terminate_backend(%s)", [backend])
    with pytest.raises(psycopg.OperationalError):
        execute("SELECT 1", {})
    ((schema, other),) = execute("SELECT current_schema(), pg_backend_pid()", {})
    assert (schema, connection.schema_name) == (committed.schema_name, committed.schema_name)
    assert other != backend


def test_a_new_connection_leaves_nothing_behind_in_the_library() -> None:
    known = AdaptersMap._optimised
    teach(AdaptersMap(psycopg.adapters))
    before = len(known)
    for _ in range(3):
        teach(AdaptersMap(psycopg.adapters))
    assert len(known) == before
