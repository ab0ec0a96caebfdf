"""Every door that writes CSV: no cell of what somebody logged begins as a formula would, and no text is lost by it."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Run
from tests.factories.door import Door
from tests.factories.traces import PROXY, start

ROOT = Path(__file__).resolve().parents[2]
BEGINNINGS = ("=", "+", "-", "@", "\t", "\r")
FORMULAS = [f"{begin}cmd|' /C calc'!A0" for begin in BEGINNINGS]
# The only one of these that a key may begin with.
NAMES = ["-name"]
TIMES = {"start_time": 1_700_000_000_000, "user_id": "=1+1"}


def by_rest(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    answer = api(acme, "viewer").get("/api/v1/runs/export/", {"format": "csv"})
    assert answer.status_code == 200
    return b"".join(answer)


def by_run_list(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    columns = [f"{kind}.{name}" for kind in ("p", "t") for name in NAMES]
    answer = browser().get("/admin/tracking/run/", {"format": "csv", "c": columns})
    assert answer.status_code == 200, answer.get("Location")
    return b"".join(answer)


def by_comparison(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    runs = [pk.hex for pk in Run.objects.values_list("pk", flat=True)]
    answer = browser().get("/admin/compare/", {"format": "csv", "run": runs})
    assert answer["Content-Type"].startswith("text/csv")
    return answer.content


def by_command(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    path = folder / "runs.csv"
    call_command("export_runs", tenant="acme", file=str(path), output="json", stdout=io.StringIO())
    return path.read_bytes()


def by_spans(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    door = Door(api(acme))
    start(door, "tr-1")
    spans = [{"span_id": text, "name": text, "start_time_unix_nano": 1} for text in ("@SUM(A1)", *FORMULAS)]
    path = f"{PROXY}0/traces/tr-1/artifacts/traces.json"
    assert door.client.put(path, json.dumps({"spans": spans}).encode(), content_type="text/plain").status_code == 200
    return browser().get("/admin/tracking/trace/tr-1/spans.csv").content


def by_team(acme: Tenant, api: Callable[..., Client], folder: Path) -> bytes:
    Run.objects.update(status="FINISHED")
    asked = {"measure": "run_success", "format": "csv", "until": "2023-11-20"}
    return browser().get("/admin/team/", asked).content


DOORS = (by_rest, by_run_list, by_comparison, by_command, by_spans, by_team)
WRITERS = {
    "apps/tracking/exports/rows.py",
    "apps/tracking/admin/compare.py",
    "apps/tracking/admin/traces.py",
    "apps/tracking/admin/delivery/team.py",
}
OF_CASES = {
    "apps/recommendations/cases/backtest.py"
}  # ids and numbers of cases that lie in a folder, no tenant's words


def browser() -> Client:
    client = Client(headers={"host": "acme.localhost"})
    boss = User.objects.create_superuser("boss", password="x")
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


@pytest.fixture
def logged(acme: Tenant, api: Callable[..., Client]) -> None:
    """Two runs in an experiment with a bad name, which carry formulas wherever text can stand."""
    client = api(acme)

    def post(path: str, body: Any) -> Any:
        answer = client.post(f"/api/2.0/mlflow/{path}", json.dumps(body), content_type="application/json")
        assert answer.status_code == 200, answer.content
        return answer.json()

    number = post("experiments/create", {"name": "=HYPERLINK(1)"})["experiment_id"]
    for formula in ("=1+1", "@SUM(A1)"):
        run = post("runs/create", {"experiment_id": number, "run_name": formula, **TIMES})["run"]["info"]["run_id"]
        texts = [{"key": f"k{n}", "value": text} for n, text in enumerate(FORMULAS)]
        named = [{"key": name, "value": formula} for name in NAMES]
        metrics = [{"key": name, "value": -1.5, "timestamp": 1} for name in NAMES]
        # Told by one of them only, so that a comparison shows them as what differs.
        texts = texts if formula == "=1+1" else []
        post("runs/log-batch", {"run_id": run, "params": texts + named, "tags": texts + named, "metrics": metrics})


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("door", DOORS, ids=lambda one: one.__name__)
def test_no_cell_is_a_formula(
    acme: Tenant, api: Callable[..., Client], logged: None, door: Any, tmp_path: Path
) -> None:
    with tenant_context(acme):
        text = door(acme, api, tmp_path).decode()
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert [cell for cell in cells if cell.startswith(BEGINNINGS) and not is_number(cell)] == []
    assert "'@SUM(A1)" in cells
    assert "-1.5" in cells or door not in (by_rest, by_command)
    if door in (by_rest, by_comparison, by_command, by_spans):
        assert {f"'{formula}" for formula in FORMULAS} <= set(cells)


def test_the_audit_export_is_json_which_runs_nothing(acme: Tenant, api: Callable[..., Client], logged: None) -> None:
    client = api(acme, "admin")
    client.post("/api/v1/projects/", {"slug": "p", "name": "=1+1"}, content_type="application/json")
    answer = client.get("/api/v1/audit/export/")
    assert answer["Content-Type"].startswith("application/")
    assert answer["X-Content-Type-Options"] == "nosniff"
    lines = [json.loads(line) for line in b"".join(answer).splitlines()]
    assert "=1+1" in [line["after"].get("name") for line in lines if line["after"]]


def test_every_writer_of_csv_is_tried_here() -> None:
    found = [path for folder in ("apps", "maestro") for path in (ROOT / folder).rglob("*.py")]
    assert {str(path.relative_to(ROOT)) for path in found if "csv.writer" in path.read_text()} == WRITERS | OF_CASES
