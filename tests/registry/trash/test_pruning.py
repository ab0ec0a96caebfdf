"""What has been in the trash for its grace goes for ever, by the rules for runs; its bytes go with the sweep after that."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from apps.registry import tasks, usages
from apps.registry.models import Artifact, ArtifactVersion, LoggedModel, Manifest, Usage
from apps.registry.trash import pruning
from apps.registry.upkeep import manifests, sweeps
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Blob, LifeRule, Project
from maestro import storage
from maestro.clock import now_ms
from maestro.database.session import connection
from tests.factories.commands import run_command
from tests.factories.gates import V1
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
DAY_MS = 86_400_000


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(settings, "STORAGE_URL", f"file://{tmp_path}/blobs")
    storage.backend.cache_clear()
    yield
    storage.backend.cache_clear()


@pytest.fixture
def client(acme: Tenant, api: ApiFor) -> Client:
    """`whole` with two versions, and `part`, each with bytes of their own and some that both have."""
    client = api(acme)
    for name, text in (("whole", "both have it"), ("whole", "of whole alone"), ("part", "both have it")):
        make_version(client, name, text)
    make_version(client, "part", "of part alone")
    return client


def throw(client: Client, path: str) -> Any:
    gone = send(client, "delete", f"{V1}artifacts/{path}", If_Match="*")
    assert gone.status_code == 200, gone.content
    return gone.json()


def after(days: float) -> int:
    return now_ms() + int(days * DAY_MS)


def test_it_stays_for_its_grace_and_goes_then(client: Client) -> None:
    throw(client, "whole/")
    throw(client, "part/versions/2/")
    assert pruning.prune(after(29.9)) == {"artifacts": 0, "versions": 0, "in_use": 0}
    assert ArtifactVersion.everything.count() == 4
    foreseen = pruning.outlook(after(30.1))
    assert foreseen == {"artifacts": 1, "versions": 3, "files": 2, "file_bytes": 27}
    assert pruning.prune(after(30.1)) == {"artifacts": 1, "versions": 1, "in_use": 0}
    assert [str(row) for row in ArtifactVersion.everything.all()] == ["part v1"]
    told = AuditEvent.objects.filter(action__in=["artifact.delete", "version.delete"]).order_by("id")
    assert [(row.action, row.actor) for row in told] == [
        ("artifact.delete", "task:retention"),
        ("version.delete", "task:retention"),
    ]
    assert make_version(client, "part", "again")["version"] == "3"


def test_each_project_says_how_long_and_what_is_shared_goes_by_the_rule_of_all(client: Client) -> None:
    churn = Project.objects.create(slug="churn", name="churn")
    Artifact.objects.filter(name="whole").update(project=churn)
    LifeRule.objects.create(project=churn, trash_days=3, set_by="ada")
    LifeRule.objects.create(project=None, trash_days=10, set_by="ada")
    ends = [throw(client, path)["goes_at"] for path in ("whole/", "part/")]
    assert ends[0] < ends[1]
    assert [pruning.outlook(after(days))["artifacts"] for days in (2, 4, 11)] == [0, 1, 2]
    assert pruning.outlook(after(2), days=1)["artifacts"] == 2


def test_a_sweep_takes_no_byte_of_what_can_be_restored(client: Client) -> None:
    Blob.objects.update(created_at=timezone.now() - timedelta(days=3))
    gone = throw(client, "whole/")

    def sweep(*, dry_run: bool) -> tuple[int, int]:
        swept = sweeps.sweep(timezone.now() - timedelta(hours=24), dry_run=dry_run)
        return swept.blobs, swept.blob_bytes

    assert [sweep(dry_run=dry_run) for dry_run in (True, False)] == [(0, 0), (0, 0)]
    assert send(client, "post", f"{V1}trash/artifacts/{gone['id']}/restore/").status_code == 200
    file = client.get(f"{V1}artifacts/whole/versions/2/files/content.txt")
    assert b"".join(file.streaming_content) == b"of whole alone"  # type: ignore[attr-defined]
    throw(client, "whole/")
    pruning.prune(after(31))
    assert [sweep(dry_run=dry_run) for dry_run in (True, False, False)] == [(1, 14), (1, 14), (0, 0)]


def test_what_something_uses_after_all_stays(client: Client) -> None:
    version = ArtifactVersion.objects.get(artifact__name="whole", number=2)
    throw(client, "whole/")
    mention = usages.NewUsage(usages.Mention("whole", "2"))
    usages.note(version, Project.objects.get(slug="default"), mention, timezone.now())
    assert pruning.prune(after(31)) == {"artifacts": 0, "versions": 1, "in_use": 2}
    assert ArtifactVersion.everything.filter(pk=version.pk).exists()
    Usage.objects.all().delete()
    assert pruning.prune(after(31)) == {"artifacts": 1, "versions": 0, "in_use": 0}


def test_the_task_and_the_command_do_it(acme: Tenant, client: Client) -> None:
    assert not pruning.is_due()
    throw(client, "whole/")
    assert pruning.is_due()
    assert tasks.prune_trash(schema=acme.schema_name) == {"artifacts": 0, "versions": 0, "in_use": 0}
    connection.set_tenant(acme)
    foreseen, code = run_command("prune_artifacts", tenant="acme", days=0, dry_run=True)
    assert (foreseen, code) == (
        {"dry_run": True, "artifacts": 1, "versions": 2, "files": 1, "file_bytes": 14},
        0,
    )
    assert run_command("prune_artifacts", tenant="acme", days=-1)[1] != 0
    assert Artifact.everything.trashed().count() == 1
    done, _ = run_command("prune_artifacts", tenant="acme", days=0)
    assert done == {"dry_run": False, "artifacts": 1, "versions": 0, "in_use": 0}
    assert not pruning.is_due()


def test_the_bucket_knows_what_lies_in_the_trash(client: Client) -> None:
    throw(client, "whole/")
    throw(client, "part/versions/2/")
    make_version(client, "whole", "another of this name")
    manifests.write_due(timezone.now())
    before = {key: told for key, told in manifests.read_all()}
    assert sorted(told["version"]["deleted_ms"] is not None for told in before.values()) == [
        False,
        False,
        True,
        True,
        True,
    ]
    Artifact.everything.all().delete()
    Manifest.objects.all().delete()
    told, _ = run_command("rebuild_registry", tenant="acme")
    assert (told["artifacts"], told["versions"]) == (3, 5)
    manifests.write_due(timezone.now())
    assert json.dumps({key: told for key, told in manifests.read_all()}) == json.dumps(before)
    assert sorted(client.get(f"{V1}artifacts/{name}/").status_code for name in ("whole", "part")) == [200, 200]
    assert len(client.get(f"{V1}trash/artifacts/").json()["results"]) == 1
    Artifact.everything.trashed().delete()
    manifests.write_due(timezone.now())
    assert len(list(manifests.read_all())) == 3


def test_the_files_of_a_logged_model_stay_as_they_are_while_a_version_of_it_can_come_back(client: Client) -> None:
    model = LoggedModel.objects.create(experiment_id=0, name="m", created_ms=1, updated_ms=1)
    ArtifactVersion.objects.filter(artifact__name="whole", number=2).update(logged_model=model)
    throw(client, "whole/versions/2/")
    path = f"/api/2.0/mlflow-artifacts/artifacts/0/models/{model.model_id}/artifacts/x"
    refused = client.put(path, b"swapped", content_type="application/octet-stream")
    assert refused.status_code == 400
    assert b"is registered" in refused.content
