"""Runs as files: exact where they can be, harmless to spreadsheets, of any number, and of one tenant only."""

import csv
import io
import json
import math
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.exports import rows
from apps.tracking.models import Experiment, Run
from apps.tracking.runs import selection
from apps.tracking.runs.selection import Wanted
from maestro.database.session import connection
from maestro.errors import Invalid
from tests.factories.door import Door
from tests.factories.many_runs import make_experiment, make_runs

ApiFor = Callable[..., Client]
EXPORT = "/api/v1/runs/export/"
ODD = {"nan": "NaN", "up": "Infinity", "down": "-Infinity", "third": 1 / 3, "big": 1e300, "whole": 7}


def log_odd(door: Door, home: Experiment) -> str:
    """A run with everything that is hard to write down."""
    run = door.run(str(home.pk), run_name="=HYPERLINK(1)", start_time=1_700_000_000_123)
    metrics = [{"key": key, "value": value, "timestamp": 1} for key, value in ODD.items()]
    params = [{"key": "formula", "value": "@SUM(A1)"}, {"key": "text", "value": 'a,"b"\nü😀'}]
    tags = [{"key": "-minus", "value": "-1+1"}, {"key": "stage", "value": "new"}]
    door.post("runs/log-batch", {"run_id": run, "metrics": metrics, "params": params, "tags": tags})
    door.post("runs/update", {"run_id": run, "status": "FINISHED", "end_time": 1_700_000_002_623})
    return run


def body(answer: Any) -> str:
    assert answer.status_code == 200, getattr(answer, "content", answer)
    return answer.getvalue().decode()


def test_json_lines_are_exact(acme: Tenant, api: ApiFor, door: Door) -> None:
    home = make_experiment("home", "churn")
    run = log_odd(door, home)
    query: dict[str, Any] = {"format": "jsonl", "experiment": home.pk}
    answer = api(acme, "viewer").get(EXPORT, query)
    assert answer["Content-Disposition"].startswith('attachment; filename="runs.jsonl"')
    (line,) = [json.loads(text) for text in body(answer).splitlines()]
    assert line["metrics"] == ODD
    assert line["params"] == {"formula": "@SUM(A1)", "text": 'a,"b"\nü😀'}
    assert line["tags"]["-minus"] == "-1+1"
    assert (line["run_id"], line["name"], line["project"]) == (run, "=HYPERLINK(1)", "churn")
    assert (line["started_at"], line["seconds"]) == ("2023-11-14T22:13:20.123+00:00", 2.5)


def test_a_spreadsheet_runs_nothing_and_reads_every_number(acme: Tenant, api: ApiFor, door: Door) -> None:
    home = make_experiment("home")
    log_odd(door, home)
    make_runs(door, home, 1)
    text = body(api(acme, "viewer").get(EXPORT, {"experiment": home.pk}))
    odd, plain = csv.DictReader(io.StringIO(text))
    assert odd["name"] == "'=HYPERLINK(1)"
    assert odd["params.formula"] == "'@SUM(A1)"
    assert odd["tags.-minus"] == "'-1+1"
    assert odd["params.text"] == 'a,"b"\nü😀'
    assert {name: float(odd[f"metrics.{name}"]) for name in ("third", "big", "whole", "up", "down")} == {
        "third": 1 / 3,
        "big": 1e300,
        "whole": 7,
        "up": math.inf,
        "down": -math.inf,
    }
    assert odd["metrics.nan"] == "NaN"
    assert (odd["metrics.auc"], plain["metrics.auc"], plain["metrics.nan"]) == ("", "0", "")


def test_columns_order_and_filter_are_chosen(acme: Tenant, api: ApiFor, door: Door) -> None:
    home = make_experiment("home")
    make_runs(door, home, 4)
    query: dict[str, Any] = {
        "experiment": home.pk,
        "filter": "metrics.auc > 0.05",
        "order_by": ["metrics.auc DESC"],
        "column": ["params.depth", "metrics.auc", "params.none"],
    }
    lines = list(csv.reader(io.StringIO(body(api(acme, "viewer").get(EXPORT, query)))))
    assert lines[0][-3:] == ["params.depth", "metrics.auc", "params.none"]
    assert [line[-3:] for line in lines[1:]] == [["3", "0.3", ""], ["2", "0.2", ""], ["1", "0.1", ""]]
    lost = body(api(acme, "viewer").get(EXPORT, {"status": "LOST", "format": "jsonl"}))
    assert lost == ""


@pytest.mark.parametrize(
    "query",
    [
        {"format": "xlsx"},
        {"format": "parquet"},
        {"filter": "metrics.a >"},
        {"order_by": "nothing"},
        {"column": "auc"},
        {"column": "metrics."},
        {"experiment": "x"},
        {"view": "secret"},
        {"status": "GONE"},
        {"more": "1"},
    ],
)
def test_a_bad_question_is_refused_before_a_file_begins(acme: Tenant, api: ApiFor, query: dict[str, str]) -> None:
    assert api(acme, "viewer").get(EXPORT, query).status_code == 400


def test_a_refusal_is_json_whatever_is_accepted(acme: Tenant, api: ApiFor) -> None:
    client = api(acme, "viewer")
    assert client.get(EXPORT, headers={"accept": "text/csv"}).status_code == 200
    assert client.get(EXPORT, {"project": "nobody"}, headers={"accept": "text/csv"}).json()["status"] == 404


def test_more_names_than_a_table_can_have_are_refused(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    home = make_experiment("home")
    make_runs(door, home, 1)
    monkeypatch.setattr(rows, "MOST_COLUMNS", 2)
    wanted = Wanted([home.pk])
    with pytest.raises(Invalid, match="jsonl"):
        rows.pieces("csv", lambda: selection.pages(wanted))
    assert len(list(rows.pieces("jsonl", lambda: selection.pages(wanted)))) == 1


def test_a_key_of_one_project_gets_its_own_runs(acme: Tenant, api: ApiFor, door: Door) -> None:
    mine, other = make_experiment("mine", "churn"), make_experiment("other")
    make_runs(door, mine, 1)
    make_runs(door, other, 2)
    text = body(api(acme, "viewer", project_id=mine.project_id).get(EXPORT, {"format": "jsonl"}))
    assert [json.loads(line)["experiment"] for line in text.splitlines()] == ["mine"]


def test_a_stream_stays_in_its_tenant_while_the_thread_serves_another(
    committed: Tenant, other_committed: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selection, "PAGE", 2)
    for tenant, word in ((committed, "mine"), (other_committed, "theirs")):
        with tenant_context(tenant):
            Run.objects.bulk_create(
                Run(experiment_id=0, name=f"{word}-{i}", start_ms=i, last_write_ms=i) for i in range(5)
            )
    wanted = Wanted([0])
    walks = {
        tenant.slug: rows.inside(tenant, rows.jsonl_pieces(selection.pages(wanted, 2)))
        for tenant in (committed, other_committed)
    }
    got: dict[str, list[str]] = {slug: [] for slug in walks}
    for _ in range(4):
        for slug, walk in walks.items():
            with tenant_context(other_committed if slug == committed.slug else committed):
                before = connection.schema_name
                got[slug] += [json.loads(line)["name"] for line in next(walk, b"").splitlines()]
                assert connection.schema_name == before
    assert got[committed.slug] == [f"mine-{i}" for i in (4, 3, 2, 1, 0)]
    assert got[other_committed.slug] == [f"theirs-{i}" for i in (4, 3, 2, 1, 0)]


def test_memory_does_not_grow_with_the_number_of_runs(acme: Tenant) -> None:
    def peak(count: int) -> int:
        home = make_experiment(f"of-{count}")
        Run.objects.bulk_create(
            [Run(experiment=home, name="x" * 200, start_ms=i, last_write_ms=i) for i in range(count)], 1000
        )
        tracemalloc.start()
        size = sum(len(piece) for piece in rows.jsonl_pieces(selection.pages(Wanted([home.pk]))))
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert size > count * 200
        return highest

    peak(600)
    small, large = peak(1_000), peak(6_000)
    assert large < small * 1.5


def run_command(tenant: Tenant, path: Path | str, *more: str) -> dict[str, Any]:
    output = io.StringIO()
    call_command("export_runs", "--tenant", tenant.slug, "--file", str(path), "--output", "json", *more, stdout=output)
    return dict(json.loads(output.getvalue()))


def test_the_command_writes_each_format_and_parquet_is_typed(acme: Tenant, door: Door, tmp_path: Path) -> None:
    home = make_experiment("home", "churn")
    run = log_odd(door, home)
    make_runs(door, home, 2)
    for kind in ("csv", "jsonl", "parquet"):
        made = run_command(acme, tmp_path / f"runs.{kind}", "--format", kind, "--project", "churn")
        assert made["runs"] == 3, kind
    table = pq.read_table(tmp_path / "runs.parquet")
    row = next(row for row in table.to_pylist() if row["run_id"] == run)
    assert {name: row[f"metrics.{name}"] for name in ("third", "up", "down", "whole")} == {
        "third": 1 / 3,
        "up": math.inf,
        "down": -math.inf,
        "whole": 7.0,
    }
    assert math.isnan(row["metrics.nan"])
    assert row["metrics.auc"] is None
    assert (row["name"], row["params.formula"]) == ("=HYPERLINK(1)", "@SUM(A1)")
    assert row["started_at"].isoformat() == "2023-11-14T22:13:20.123000+00:00"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.csv", "runs.jsonl", "runs.parquet"]


def test_the_command_refuses_in_words_and_leaves_no_half_file(acme: Tenant, tmp_path: Path) -> None:
    for arguments in (["--filter", "metrics.a >"], ["--project", "nobody"], ["--column", "x"]):
        with pytest.raises(CommandError):
            run_command(acme, tmp_path / "x.csv", *arguments)
    with pytest.raises(CommandError, match="folder"):
        run_command(acme, tmp_path / "none" / "x.csv")
    with pytest.raises(CommandError, match="file"):
        run_command(acme, "-", "--format", "parquet")
    assert list(tmp_path.iterdir()) == []
