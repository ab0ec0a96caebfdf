"""An export and an import that were killed leave nothing half visible, and go on."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from apps.tenants import ending, routing
from apps.tenants.models import Tenant
from apps.tenants.moving import arriving, bringing, leaving
from apps.tracking.files import blobs
from apps.tracking.models import Experiment
from maestro import storage
from maestro.database.session import connection
from maestro.errors import Conflict
from tests.tenants.moving.conftest import Moved, standing_in
from tests.web import ROOT

# Ends by itself as hard as `kill -9` does, when it has brought so many contents.
KILLED = """
import os, signal, sys, django
sys.argv = ["manage.py", "import_tenant"]
django.setup()
from apps.tenants.moving import arriving, bringing
from pathlib import Path
way, after = bringing.Bringing.{method}, {after}
def counted(self, *given, done=[]):
    way(self, *given)
    done.append(1)
    if len(done) == after:
        os.kill(os.getpid(), signal.SIGKILL)
bringing.Bringing.{method} = counted
arriving.arrive(Path({folder!r}), {slug!r}, by="test")
"""


def killed(values: dict[str, str], folder: Path, slug: str, method: str, after: int) -> int:
    script = KILLED.format(folder=str(folder), slug=slug, method=method, after=after)
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=os.environ | values, capture_output=True, text=True, check=False
    )
    return done.returncode


@pytest.mark.parametrize(("method", "after"), [("bring_rows", 30), ("bring_content", 2)])
def test_an_import_that_was_killed_is_seen_by_nobody_and_goes_on(
    package: Path, new_slug: str, command: Moved, test_environment: dict[str, str], method: str, after: int
) -> None:
    assert killed(test_environment, package, new_slug, method, after) == -signal.SIGKILL
    connection.set_schema_to_public()
    tenant = Tenant.objects.get(slug=new_slug)
    assert tenant.state == "provisioning"
    routing.forget()
    answer = Client(headers={"host": f"{new_slug}.localhost"}).get("/api/v1/projects/")
    assert (answer.status_code, answer.json()["code"]) == (503, "tenant_provisioning")
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert (code, told["was_resumed"], told["id"]) == (0, True, str(tenant.pk)), told
    assert all(kind["is_equal"] for kind in told["kinds"].values())
    with standing_in(new_slug):
        assert Experiment.objects.count() > 1


def test_another_export_does_not_go_on_where_the_first_ended_and_erasing_takes_it_back(
    filled: Tenant,
    package: Path,
    new_slug: str,
    command: Moved,
    test_environment: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert killed(test_environment, package, new_slug, "bring_rows", 30) == -signal.SIGKILL
    command("export_tenant", filled.slug, "--to", package)
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert (code, "another export" in told["refused"]) == (5, True)
    monkeypatch.setattr(ending.erase, "__kwdefaults__", {"settle_seconds": 0.05})
    told, code = command("erase_tenant", new_slug, "--execute", "--yes")
    assert (code, told["erased"]) == (0, True)
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert code == 0


def test_a_store_that_fails_leaves_what_came_for_the_next_time(
    package: Path, new_slug: str, command: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    way = bringing.staging.publish
    count = iter(range(9))

    def publish(*given: str) -> None:
        if next(count) == 1:
            raise storage.StorageProblem("the store is away")
        way(*given)

    monkeypatch.setattr(bringing.staging, "publish", publish)
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert (code, told["refused"]) == (7, "the store is away")
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert (code, told["was_resumed"]) == (0, True)


def test_what_is_written_meanwhile_is_not_in_the_picture(filled: Tenant, tmp_path: Path) -> None:
    wrote = threading.Event()

    def tell(line: str) -> None:
        """After the first table, somebody writes into a later one."""
        if not wrote.is_set():
            wrote.set()
            thread = threading.Thread(target=write)
            thread.start()
            thread.join()

    def write() -> None:
        with standing_in(filled.slug):
            Experiment.objects.create(name="meanwhile", created_ms=1, updated_ms=1)
        connection.close()

    leaving.leave(filled.slug, tmp_path / "export", by="test", tell=tell)
    rows = (tmp_path / "export" / "tables" / "tracking_experiment.jsonl").read_text().splitlines()
    assert "meanwhile" not in [json.loads(row)["name"] for row in rows]
    connection.set_tenant(filled)
    assert Experiment.objects.filter(name="meanwhile").exists()


def test_an_export_that_ended_is_no_export_and_goes_on(
    filled: Tenant, tmp_path: Path, new_slug: str, command: Moved, monkeypatch: pytest.MonkeyPatch
) -> None:
    way: Callable[..., bool] = leaving.copy_content
    count = iter(range(99))

    def copy(*given: object) -> bool:
        if next(count) == 1:
            raise storage.StorageProblem("the store is away")
        return way(*given)

    monkeypatch.setattr(leaving, "copy_content", copy)
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "export")
    assert code == 7
    told, code = command("import_tenant", tmp_path / "export", "--slug", new_slug)
    assert (code, "manifest.json" in told["refused"]) == (4, True)
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "export")
    assert (code, told["copied"]) == (0, told["blobs"] - 1)


def test_a_content_that_is_swept_meanwhile_asks_for_another_try(filled: Tenant, tmp_path: Path) -> None:
    blob, _ = blobs.store([b"nobody names this"])

    def tell(line: str) -> None:
        if line.startswith("1 contents"):
            storage.backend().delete(f"{storage.tenant_prefix()}/{blob.storage_key}")
            type(blob).objects.filter(pk=blob.pk).delete()

    others = [
        sha256 for sha256 in type(blob).objects.values_list("pk", flat=True).order_by("pk") if sha256 < blob.sha256
    ]
    assert others, "another content comes before"
    with pytest.raises(Conflict, match="run it again"):
        leaving.leave(filled.slug, tmp_path / "export", by="test", tell=tell)
    connection.set_tenant(filled)


def test_two_imports_into_one_name_do_not_meet(package: Path, new_slug: str) -> None:
    with arriving.alone(new_slug), pytest.raises(Conflict, match="under way"), arriving.alone(new_slug):
        pass
