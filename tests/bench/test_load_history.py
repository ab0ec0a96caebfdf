"""The loader as a user calls it, against the real server: whole, twice, after an interruption, and refused."""

import gzip
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from apps.registry.models import ArtifactVersion, Usage
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, Project, Run
from tests.patience import START_SECONDS
from tests.web import WebServer

ROOT = Path(__file__).resolve().parents[2]
LOADER = ROOT / "bench" / "history" / "load_history.py"
Load = Callable[..., "subprocess.CompletedProcess[str]"]


def call(*options: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, str(LOADER), *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=START_SECONDS, check=False)


@pytest.fixture
def load(web: WebServer, committed: Tenant, key_for: Callable[..., str]) -> Load:
    """Call the loader on two projects with a key of the tenant."""
    key = key_for(committed)
    return lambda *options: call("--url", web.url, "--token", key, "--limit", "2", *options)


def counts() -> dict[str, int]:
    return {
        "runs": Run.objects.count(),
        "finished": Run.objects.filter(status="FINISHED").count(),
        "experiments": Experiment.objects.count(),
        "projects": Project.objects.finished().count(),
        "versions": ArtifactVersion.objects.count(),
        "usages": Usage.objects.count(),
        "audited": AuditEvent.objects.count(),
    }


def test_a_history_is_loaded_whole_then_changes_nothing_and_finishes_what_was_cut_short(load: Load) -> None:
    first = load("--progress")
    assert first.returncode == 0, first.stderr
    assert "runs 20 of 20" in first.stdout
    found = counts()
    assert (found["runs"], found["finished"], found["projects"], found["versions"]) == (20, 20, 2, 27)
    project = Project.objects.finished().first()
    assert project is not None
    assert project.dataset_facts["n_rows"] > 0
    assert Usage.objects.filter(project=project, run__isnull=False).exists()
    assert load().returncode == 0
    assert counts() == found
    cut = Run.objects.order_by("pk").first()
    assert cut is not None
    Run.objects.filter(pk=cut.pk).update(status="RUNNING", end_ms=None)
    assert load().returncode == 0
    assert counts() == found


def test_a_viewers_key_is_refused_with_its_own_exit_code(
    web: WebServer, committed: Tenant, key_for: Callable[..., str]
) -> None:
    refused = call("--url", web.url, "--token", key_for(committed, "viewer"))
    assert refused.returncode == 3
    assert "the key may not" in refused.stderr
    assert counts()["runs"] == 0


def test_a_damaged_file_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl.gz"
    file.write_bytes(gzip.compress(b'{"format": 1}\n')[:-6])
    refused = call("--url", "http://localhost:9", "--token", "none", "--file", str(file))
    assert refused.returncode == 2
    assert "cannot be read" in refused.stderr


def test_without_an_address_the_usage_is_shown() -> None:
    refused = call("--url", "nonsense", "--token", "none")
    assert refused.returncode == 2
    assert "http://host:port" in refused.stderr
