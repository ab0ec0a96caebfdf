"""The database is lost and the bucket is kept: evidence, approvals, moves, gates and signatures come back too."""

import json
import shutil
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.registry.models import AliasMove, Approval, Evidence, Gate, Manifest, Promotion, Signature, SigningKey
from apps.registry.trash import pruning
from apps.registry.upkeep import manifests, records
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Project
from maestro import staging, storage
from maestro.clock import now_ms
from tests.factories.gates import V1, ask, make_gate, path_of, say, two_versions
from tests.factories.sending import send
from tests.factories.signing import new_key, public_pem, sign_folder

Api = Callable[..., Client]
KEPT = (Evidence, Approval, AliasMove, Promotion, Gate, SigningKey, Signature)


def everything() -> dict[str, Any]:
    """All rows that are kept for ever, but for the numbers that the database gave."""
    found: dict[str, Any] = {model.__name__: records.plain(model.objects.order_by("pk")) for model in KEPT}
    for row in found["AliasMove"]:
        del row["id"]
    return found


def lived(api: Api, tenant: Tenant, folder: Path) -> None:
    """A registry with a past: a gate passed by approval, another left, a signature, an alias that moved."""
    admin, author, other = api(tenant, "admin"), api(tenant, "contributor"), api(tenant, "approver")
    make_gate(admin)
    make_gate(admin, name="Of churn", aliases=["other"], project="churn", sections=["Intended use"])
    two_versions(author)
    assert say(other, path_of(ask(author))).status_code == 200
    ask(author, version="2")
    for number in ("1", "2"):
        etag = author.get(f"{V1}artifacts/churn/aliases/free/").headers.get("ETag", "*")
        send(author, "put", f"{V1}artifacts/churn/aliases/free/", {"version": number}, If_Match=etag)
    key = new_key()
    trusted = {"name": "release job", "kind": "public_key", "pem": public_pem(key)}
    assert send(admin, "post", f"{V1}signing-keys/", trusted).status_code == 201
    (folder / "signed").mkdir()
    (folder / "signed" / "content.txt").write_text("one")
    bundle = sign_folder(folder / "signed", key)
    assert send(author, "post", f"{V1}artifacts/churn/versions/1/signatures/", bundle).status_code == 201


def test_a_second_installation_has_the_same_past(
    committed: Tenant, other_committed: Tenant, api: Api, tmp_path: Path
) -> None:
    Project.objects.create(slug="churn", name="churn")
    lived(api, committed, tmp_path)
    assert manifests.write_due(timezone.now()) == 4
    assert (manifests.write_due(timezone.now()), manifests.is_due()) == (0, False)
    before = everything()
    assert all(before.values()), {name: len(rows) for name, rows in before.items()}
    store = storage.backend()
    shutil.copytree(store.path(storage.prefix_of(committed.pk)), store.path(storage.prefix_of(other_committed.pk)))
    with tenant_context(other_committed):
        Gate.objects.all().delete()
        told = rebuilt(other_committed)
        assert (told["gates"], told["signing_keys"], told["signatures"]) == (3, 1, 1)
        after = everything()
        project = str(Project.objects.get(slug="churn").pk)
        for one, other in zip(before["Gate"], after["Gate"], strict=True):
            assert one | {"project": other["project"]} == other
            assert other["project"] == (project if one["name"] == "Of churn" else None)
        assert {**after, "Gate": []} == {**before, "Gate": []}
        assert AuditEvent.objects.filter(action__in=["signing_key.trust", "gate.add"]).count() == 4
        again = rebuilt(other_committed)
        assert (again["kept"], again["gates"], again["signatures"], everything()) == (0, 0, 0, after)
        # What is protected still is, and who was asked still may answer.
        waiting = Promotion.objects.get(state="waiting")
        path = f"{V1}artifacts/churn/promotions/{waiting.pk}/"
        assert say(api(other_committed, "approver"), path).status_code in (200, 201)
        refused = send(api(other_committed), "put", f"{V1}artifacts/churn/aliases/serving/", {"version": "1"})
        assert (refused.status_code, refused.json()["code"]) == (409, "gate_refused")


def test_a_time_just_after_a_second_is_written_as_it_is_read_back(acme: Tenant) -> None:
    at = datetime(2026, 11, 30, 12, tzinfo=UTC)
    told = [records.plain([SigningKey(pk=uuid.UUID(int=1), created_at=at.replace(microsecond=n))]) for n in (0, 7)]
    assert told[0] == told[1]
    assert told[0][0]["created_at"] == "2026-11-30T12:00:00Z"


def rebuilt(tenant: Tenant) -> dict[str, Any]:
    said = StringIO()
    call_command("rebuild_registry", "--tenant", tenant.slug, "--output", "json", stdout=said)
    connection.set_tenant(tenant)  # type: ignore[attr-defined]
    answer: dict[str, Any] = json.loads(said.getvalue())
    return answer


def read(key: str) -> str:
    place = blobs.place_of(key)
    return b"".join(staging.read(place, 0, staging.size_of(place) or 0)).decode()


@pytest.fixture
def past(acme: Tenant, api: Api) -> Client:
    author = api(acme)
    two_versions(author)
    send(author, "put", f"{V1}artifacts/churn/aliases/free/", {"version": "1"})
    manifests.write_due(timezone.now())
    return author


def test_a_record_outlives_its_artifact_and_is_written_again_when_lost(acme: Tenant, past: Client) -> None:
    key = Manifest.objects.exclude(version_id=records.RULES).get(key__startswith="records/").key
    assert json.loads(read(key))["moves"][0]["name"] == "free"
    assert send(past, "delete", f"{V1}artifacts/churn/", If_Match="*").status_code == 200
    assert pruning.prune(now_ms(), days=0)["artifacts"] == 1
    manifests.write_due(timezone.now())
    assert json.loads(read(key))["moves"]
    staging.remove(blobs.place_of(key))
    assert (manifests.repair(), manifests.write_due(timezone.now()), manifests.repair()) == (1, 1, 0)


def test_a_person_who_is_erased_is_erased_from_records(acme: Tenant, past: Client) -> None:
    key = Manifest.objects.exclude(version_id=records.RULES).get(key__startswith="records/").key
    ada = User.objects.create_user("ada")
    move = AliasMove.objects.get()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE registry_aliasmove SET moved_by = 'person:erased-0123456789ab' WHERE id = %s", [move.pk])
    assert ada.pk
    assert manifests.write_due(timezone.now()) == 1
    assert "erased-0123456789ab" in read(key)
    assert move.moved_by not in read(key)
