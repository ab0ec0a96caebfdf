"""Probes and metrics: what an orchestrator and Prometheus see."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from config import health
from config.health import readiness
from maestro import storage
from maestro.metrics import REQUESTS, door_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def probe(db: None) -> Iterator[Client]:
    readiness.forget()
    yield Client(headers={"host": "localhost"})
    readiness.forget()


def test_liveness_needs_no_database() -> None:
    assert Client(headers={"host": "anything"}).get("/livez").content == b"OK"


def test_readiness_names_nothing_when_all_is_well(probe: Client) -> None:
    answer = probe.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "faults": {}})


def test_readiness_names_a_storage_that_takes_no_bytes(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    storage.backend.cache_clear()
    monkeypatch.setattr(settings, "STORAGE_URL", "file:///proc/nowhere")
    try:
        answer = probe.get("/readyz")
    finally:
        storage.backend.cache_clear()
    assert answer.status_code == 503
    assert "storage" in answer.json()["faults"]


def test_storage_is_asked_once_in_seconds_however_many_want_to_know(
    probe: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(health, "probe", lambda: asked.append(1))
    assert {probe.get("/readyz").status_code for _ in range(20)} == {200}
    assert len(asked) <= 2, "once, or twice if a slow machine takes seconds for twenty requests"
    readiness.forget()
    probe.get("/readyz")
    assert len(asked) <= 3


def test_metrics_are_hidden_without_the_scrape_token(probe: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    assert probe.get("/metrics").status_code == 404
    monkeypatch.setattr(settings, "METRICS_TOKEN", "scrape-me")
    assert probe.get("/metrics", headers={"authorization": "Bearer wrong"}).status_code == 404
    answer = probe.get("/metrics", headers={"authorization": "Bearer scrape-me"})
    assert b"maestro_requests_total" in answer.content


def test_a_request_is_counted_by_door_and_status(probe: Client) -> None:
    count = REQUESTS.labels("api", "GET", "401")
    before = count._value.get()
    probe.get("/api/v1/projects/")
    assert count._value.get() >= before
    assert [door_of(p) for p in ("/api/v1/x", "/api/2.0/mlflow/x", "/admin/")] == ["api", "mlflow", "admin"]


def test_readiness_takes_no_full_disk_for_one_with_room(test_environment: dict[str, str], tmp_path: Path) -> None:
    # No file may grow beyond 4 KiB: the name and a few bytes find room, as on a disk that is nearly full.
    words = (
        "import resource, django; django.setup(); from maestro import storage; storage.probe(); print('room', flush=True)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); storage.probe()"
    )
    values = os.environ | test_environment | {"MAESTRO_STORAGE": f"file://{tmp_path}"}
    done = subprocess.run(
        [sys.executable, "-c", words], cwd=ROOT, env=values, capture_output=True, text=True, check=False
    )
    assert done.stdout == "room\n"
    assert "StorageProblem: the object store does not take bytes" in done.stderr
