"""What a search costs: few statements, and pages read by the index that fits."""

import re
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from psycopg import sql

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Run
from apps.tracking.search import pages as search_pages
from apps.tracking.search.pages import RUNS, Search
from maestro.database import statements
from maestro.filters import parse, parse_order
from tests.factories.door import Door
from tests.tracking.search.test_meaning import FakeRun, fill


def test_a_search_takes_few_statements_whatever_it_finds(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = door.experiment("counted")
    fill(door, experiment, [FakeRun("", i, {"a": float(i)}, {"p": "x"}, {"t": "y"}) for i in range(12)])
    sent: list[str] = []
    real = statements.run

    def noted(sql: str, *rest: Any) -> Any:
        sent.append(sql)
        return real(sql, *rest)

    monkeypatch.setattr(statements, "run", noted)
    body = {
        "experiment_ids": [experiment],
        "filter": "metrics.a > 1 AND params.p = 'x'",
        "order_by": ["metrics.a DESC"],
    }
    with CaptureQueriesContext(
        connection,
    ) as queries:
        assert len(door.post("runs/search", body)["runs"]) == 10
    assert len(sent) == 3, sent  # the rare clause, the ids, the documents
    assert len([q for q in queries if "tracking_" in q["sql"]]) == 0


MANY = """INSERT INTO tracking_run (id, experiment_id, name, user_name, status, start_ms, last_write_ms, created_by)
 SELECT gen_random_uuid(), %(e)s, 'r' || i, '', 'FINISHED', i, i, '' FROM generate_series(1, 20000) i;
INSERT INTO tracking_metrickey (name) VALUES ('acc');
INSERT INTO tracking_latestmetric (run_id, key_id, experiment_id, step, timestamp_ms, value)
 SELECT r.id, k.id, r.experiment_id, 0, 0, random() FROM tracking_run r, tracking_metrickey k
 WHERE r.experiment_id = %(e)s AND k.name = 'acc';
INSERT INTO tracking_param (run_id, key, value)
 SELECT id, 'lr', (ARRAY['0.1', '0.01', '0.001', '0.0001'])[1 + start_ms %% 4] FROM tracking_run WHERE experiment_id = %(e)s;
INSERT INTO tracking_tag (run_id, key, value)
 SELECT id, 'n', start_ms::text FROM tracking_run WHERE experiment_id = %(e)s"""
ANALYSED = ("tracking_run", "tracking_latestmetric", "tracking_param", "tracking_tag", "tracking_metrickey")


@pytest.fixture
def many_runs(committed: Tenant) -> int:
    """An experiment of 20,000 runs, committed and with statistics, as autovacuum would leave them."""
    number = Experiment.objects.create(name="many", created_ms=1, updated_ms=1).pk
    with connection.cursor() as cursor:
        for statement in MANY.split(";"):
            cursor.execute(statement, {"e": number})
    with psycopg.connect(settings.OWNER_DATABASE_URL, autocommit=True) as owner:
        for table in ANALYSED:
            owner.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(committed.schema_name, table)))
    return number


PLANS = [
    ("metrics.acc > 0.9 AND params.lr = '0.01'", ["metrics.acc DESC"], "tracking_latest_by_value"),
    ("", ["metrics.acc"], "tracking_latest_by_value"),
    ("", [], "tracking_run_newest"),
    ("tags.n = '777'", [], "tracking_run_pkey"),
]


def test_pages_read_few_rows_by_the_index_that_fits(many_runs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    for text, entries, index in PLANS:
        with monkeypatch.context() as patch:
            check_plan(many_runs, text, entries, index=index, patch=patch)
    assert Run.objects.filter(experiment_id=many_runs).count() == 20_000


def check_plan(many_runs: int, text: str, entries: list[str], *, index: str, patch: pytest.MonkeyPatch) -> None:
    """Search, and look at the plan of the page's query."""
    plans: list[str] = []
    real = search_pages.execute

    def explained(sql: str, params: Any, **options: Any) -> Any:
        if " AS k0" in sql:
            rows = real("EXPLAIN (ANALYZE, BUFFERS) " + sql, params, prepare=False)
            plans.append("\n".join(row[0] for row in rows))
        return real(sql, params, **options)

    patch.setattr(search_pages, "execute", explained)
    wanted = Search(parse(text, RUNS), parse_order(entries, RUNS))
    found, following = search_pages.runs(wanted, [many_runs], most=50)
    assert len(found) == (1 if "777" in text else 50)
    assert (following is None) == ("777" in text)
    assert index in plans[0], plans[0]
    pages = sum(int(count) for count in re.findall(r"^Limit.*\n\s+Buffers: shared hit=(\d+)", plans[0]))
    assert pages < 4000, plans[0]


def test_patterns_are_tried_after_what_costs_less() -> None:
    tree = parse("run_name ILIKE '%a%' AND status = 'FAILED' AND params.p LIKE 'b' AND metrics.m > 1", RUNS)
    assert [part.operator for part in search_pages.conjuncts(tree)] == ["=", ">", "ILIKE", "LIKE"]  # type: ignore[union-attr]
