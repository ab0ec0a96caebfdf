"""The database is lost and the bucket is kept: artifacts, versions, aliases and lineage come back from the manifests."""

import json
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from apps.registry.models import Alias, Artifact, ArtifactVersion, Edge, Manifest, VersionFile
from apps.registry.upkeep import manifests
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Experiment, Offer, Project, Run
from maestro import staging
from maestro.database.session import connection
from tests.factories import stores
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]


@pytest.fixture(params=stores.KINDS[:2])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with stores.used(request.param, tmp_path, monkeypatch):
        yield


def written() -> int:
    return manifests.write_due(timezone.now())


def rebuilt() -> dict[str, Any]:
    said, here = StringIO(), connection.tenant
    call_command("rebuild_registry", "--tenant", "acme", "--output", "json", stdout=said)
    connection.set_tenant(here)
    return json.loads(said.getvalue())


def lose_the_rows() -> None:
    """All of the registry and of the contents, as if the database were gone."""
    for model in (Edge, Alias, VersionFile, ArtifactVersion, Artifact, Manifest, Offer, Blob):
        model.objects.all().delete()


def everything() -> dict[str, Any]:
    """What a reader sees of the registry, in one document."""
    rows = ArtifactVersion.objects.for_page().order_by("artifact__name", "number")
    return {str(version): manifests.described(version) for version in rows}


def test_rows_lost_and_bucket_kept(acme: Tenant, api: ApiFor, store: None) -> None:
    client = api(acme)
    churn = Project.objects.create(slug="churn", name="churn")
    make_version(client, "encoder", "one")
    make_version(client, "encoder", "two")
    make_version(client, "table", "rows", kind="dataset")
    Artifact.objects.filter(name="table").update(project=churn, card="# Tables & <b>", owner="ada")
    path = "/api/v1/artifacts/encoder/"
    assert send(client, "put", f"{path}aliases/champion/", {"version": "1"}).status_code in (200, 201)
    send(client, "patch", f"{path}versions/2/", {"tags": {"stage": "täst"}})
    first, second = ArtifactVersion.objects.filter(artifact__name="encoder").order_by("number")
    run = Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1)
    Edge.objects.create(from_version=first, to_version=second)
    Edge.objects.create(from_run=run, to_version=second, kind="produced")
    assert (written(), written()) == (5, 0)  # with the record of the rules and of one artifact
    before, kept = everything(), stores.everything()
    lose_the_rows()
    answer = rebuilt()
    assert everything() == before
    assert (answer["artifacts"], answer["versions"], answer["aliases"], answer["edges"]) == (2, 3, 1, 2)
    assert (answer["contents"], answer["missing"], answer["edges_left_out"]) == (3, [], 0)
    assert stores.everything() == kept
    file = ArtifactVersion.objects.get(artifact__name="encoder", number=2).files.select_related("blob").get()
    assert b"".join(blobs.read(file.blob)) == b"two"
    assert rebuilt()["versions"] == 0
    make_version(client, "encoder", "three")
    assert ArtifactVersion.objects.filter(artifact__name="encoder").order_by("-number")[0].number == 3


def test_without_its_run_an_edge_is_left_out_and_a_project_is_made_anew(acme: Tenant, api: ApiFor, store: None) -> None:
    make_version(api(acme), "encoder", "one")
    churn = Project.objects.create(slug="churn", name="churn")
    Artifact.objects.update(project=churn)
    run = Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1)
    Edge.objects.create(from_run=run, to_version=ArtifactVersion.objects.get(), kind="produced")
    written()
    lose_the_rows()
    run.delete()
    churn.delete()
    answer = rebuilt()
    assert (answer["edges_left_out"], answer["projects"], Edge.objects.count()) == (1, 1, 0)
    assert Artifact.objects.get().project == Project.objects.get(slug="churn")


def test_what_lost_its_bytes_is_named_and_not_made(acme: Tenant, api: ApiFor, store: None) -> None:
    make_version(api(acme), "encoder", "one")
    written()
    key = Manifest.objects.get(key__startswith="manifests/").key
    blob = Blob.objects.get()
    lose_the_rows()
    staging.remove(blobs.place_of(blob.storage_key))
    assert rebuilt()["missing"] == [key]
    assert (ArtifactVersion.objects.count(), Blob.objects.count()) == (0, 0)


def test_it_is_written_again_when_something_is_said_or_lost_and_goes_with_its_version(
    acme: Tenant, api: ApiFor, store: None
) -> None:
    client = api(acme)
    make_version(client, "encoder", "one")
    assert written() == 2
    send(client, "put", "/api/v1/artifacts/encoder/aliases/champion/", {"version": "1"})
    assert written() == 2
    assert [told["aliases"] for _, told in manifests.read_all()] == [["champion"]]
    Alias.objects.all().delete()
    assert (written(), [told["aliases"] for _, told in manifests.read_all()]) == (1, [[]])
    staging.remove(blobs.place_of(Manifest.objects.get(key__startswith="manifests/").key))
    assert (manifests.repair(), written(), manifests.repair()) == (1, 1, 0)
    ArtifactVersion.objects.all().delete()
    assert (written(), list(manifests.read_all()), Manifest.objects.filter(key__startswith="manifests/").count()) == (
        1,
        [],
        0,
    )
