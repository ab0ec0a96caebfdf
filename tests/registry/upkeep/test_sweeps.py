"""Bytes without a name go, after a day; bytes with one stay, and are known to be what they were."""

import json
import os
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from apps.registry.models import ArtifactVersion, LoggedModel, LoggedModelFile
from apps.registry.upkeep import checks, sweeps
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Experiment, Run, RunFile
from maestro import staging, storage
from tests.factories.sending import make_version

ApiFor = Callable[..., Client]
OLD = timedelta(days=3)


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path}/blobs")
    storage.backend.cache_clear()
    yield tmp_path / "blobs"
    storage.backend.cache_clear()


def age(folder: Path) -> None:
    """Let everything that is stored have been there for days."""
    Blob.objects.update(created_at=timezone.now() - OLD)
    at = (timezone.now() - OLD).timestamp()
    for path in folder.rglob("*"):
        os.utime(path, (at, at))


def sweep(**options: Any) -> sweeps.Swept:
    return sweeps.sweep(timezone.now() - timedelta(hours=24), **({"dry_run": False} | options))


def verify(*, contents: bool) -> checks.Verified:
    return checks.verify(timezone.now(), checks.Manner(contents))


def named_everywhere(api: ApiFor, tenant: Tenant) -> None:
    run = Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1)
    RunFile.objects.create(run=run, path="a", blob=blobs.store_text("of a run"))
    model = LoggedModel.objects.create(experiment_id=0, name="m", created_ms=1, updated_ms=1)
    LoggedModelFile.objects.create(model=model, path="a", blob=blobs.store_text("of a logged model"))
    make_version(api(tenant), "encoder", "of a version")


def test_only_what_nothing_names_is_swept(acme: Tenant, api: ApiFor, store: Path) -> None:
    named_everywhere(api, acme)
    blobs.store_text("nobody's")
    age(store)
    assert vars(sweep(dry_run=True)) | {} == vars(sweeps.Swept(blobs=1, blob_bytes=8))
    assert Blob.objects.count() == 4
    assert sweep() == sweeps.Swept(blobs=1, blob_bytes=8)
    assert sweep() == sweeps.Swept()
    assert Blob.objects.count() == 3
    assert verify(contents=True).is_sound


def test_what_was_offered_lately_is_spared(acme: Tenant, store: Path) -> None:
    blobs.store_text("old")
    age(store)
    blobs.store_text("old")
    blobs.store_text("new")
    assert sweep() == sweeps.Swept()
    assert Blob.objects.count() == 2


def test_unfinished_uploads_and_objects_without_a_row_go(acme: Tenant, store: Path) -> None:
    prefix = store / storage.tenant_prefix()
    for name in (f"{staging.STAGING}/half", f"blobs/ab/{'ab' * 32}", "blobs/zz/stray"):
        (prefix / name).parent.mkdir(parents=True, exist_ok=True)
        (prefix / name).write_bytes(b"12345")
    assert sweep() == sweeps.Swept()
    age(store)
    assert sweep() == sweeps.Swept(staged=1, staged_bytes=5, orphans=2, orphan_bytes=10)
    assert [path for path in prefix.rglob("*") if path.is_file()] == []


def test_lost_and_changed_bytes_are_named(acme: Tenant, api: ApiFor, store: Path) -> None:
    lost, changed = blobs.store_text("lost"), blobs.store_text("changed")
    place = store / storage.tenant_prefix()
    (place / lost.storage_key).unlink()
    (place / changed.storage_key).write_bytes(b"CHANGED")
    assert verify(contents=False).missing == [lost.sha256]
    whole = verify(contents=True)
    assert (whole.missing, whole.changed, whole.is_sound) == ([lost.sha256], [changed.sha256], False)
    with pytest.raises(CommandError, match="1 contents are missing and 1 changed") as stop:
        call_command("verify_blobs", "--tenant", "acme", "--contents")
    assert stop.value.returncode == 5


def test_a_version_whose_run_was_changed_afterwards_is_named(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    run = Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1)
    RunFile.objects.create(run=run, path="model/MLmodel", blob=blobs.store_text("as registered"))

    def call(address: str, body: Any) -> Any:
        return client.post(f"/api/2.0/mlflow/{address}", json.dumps(body), content_type="application/json")

    assert call("registered-models/create", {"name": "churn"}).status_code == 200
    source = f"{run.artifact_uri}/model"
    assert call("model-versions/create", {"name": "churn", "source": source, "run_id": run.pk.hex}).status_code == 200
    assert verify(contents=False).drifted == []
    RunFile.objects.update(blob=blobs.store_text("swapped"))
    assert verify(contents=False).drifted == ["churn v1"]
    assert ArtifactVersion.objects.get().files.get().blob == blobs.store_text("as registered")


def test_the_commands_speak_json_and_name_what_is_wrong(acme: Tenant, store: Path) -> None:
    blobs.store_text("nobody's")
    age(store)
    said = StringIO()
    call_command("sweep_blobs", "--tenant", "acme", "--dry-run", "--output", "json", stdout=said)
    answer = json.loads(said.getvalue())
    assert (answer["dry_run"], answer["blobs"], answer["blob_bytes"]) == (True, 1, 8)
    for options, code in ((["--tenant", "nobody"], 4), (["--tenant", "acme", "--hours", "0"], 2)):
        with pytest.raises(CommandError) as stop:
            call_command("sweep_blobs", *options)
        assert stop.value.returncode == code
