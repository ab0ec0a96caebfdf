"""An artifact's card on its page, and what a version's page tells of its files."""

from collections.abc import Callable
from pathlib import Path

from django.test import Client

from apps.registry.models import Artifact, ArtifactVersion
from apps.tenants.models import Tenant
from tests.factories.sending import make_version
from tests.tracking.files.formats.made import MAKERS

Api = Callable[..., Client]
Person = Callable[[str], Client]
CARD = "---\nlicense: apache-2.0\ntags:\n- churn\n---\n## What it is for\n\n<script>alert(1)</script>"


def test_a_card_shows_its_facts_and_its_text(acme: Tenant, api: Api, person: Person) -> None:
    make_version(api(acme), "encoder")
    Artifact.objects.update(card=CARD, description="**bold** words")
    page = person("contributor").get(f"/admin/registry/artifact/{Artifact.objects.get().pk}/change/").content.decode()
    assert "<dt>license</dt>" in page
    assert "apache-2.0" in page
    assert "<h2>What it is for</h2>" in page
    assert "<strong>bold</strong>" in page
    assert "<script>alert(1)" not in page


def test_an_empty_card_begins_with_a_template_of_its_kind(acme: Tenant, api: Api, person: Person) -> None:
    make_version(api(acme), "encoder")
    pk, client = Artifact.objects.get().pk, person("contributor")
    assert "Begin with a template" in client.get(f"/admin/registry/artifact/{pk}/change/").content.decode()
    assert "## What it makes" in client.get(f"/admin/registry/artifact/{pk}/edit/?template=1").content.decode()
    assert Artifact.objects.get().card == ""
    Artifact.objects.update(card="mine")
    assert "## What it makes" not in client.get(f"/admin/registry/artifact/{pk}/edit/?template=1").content.decode()


def test_a_versions_page_tells_headers_and_names_what_may_run(
    acme: Tenant, api: Api, person: Person, tmp_path: Path
) -> None:
    client = api(acme)
    folder = make_folder(client, tmp_path)
    version = ArtifactVersion.objects.get()
    at, browser = f"/admin/registry/artifactversion/{version.pk}/change/", person("contributor")
    assert "layer.weight" in browser.get(at, {"file": "model.safetensors"}).content.decode()
    assert "batch × 3" in browser.get(at, {"file": "model.onnx"}).content.decode()
    broken = browser.get(at, {"file": "broken.parquet"}).content.decode()
    assert "does not end as Parquet does" in broken
    assert "Executable format." in browser.get(at, {"file": "model.pkl"}).content.decode()
    assert "Executable format." not in broken
    assert len(folder) == 4


def make_folder(client: Client, folder: Path) -> list[str]:
    """Log a run with models in it, and register its folder."""
    run = client.post("/api/2.0/mlflow/runs/create", {"experiment_id": "0"}, content_type="application/json").json()[
        "run"
    ]["info"]
    for ending in (".safetensors", ".onnx"):
        MAKERS[ending](folder / f"model{ending}")
    (folder / "broken.parquet").write_bytes(b"PAR1 nothing more")
    (folder / "model.pkl").write_bytes(b"\x80\x04N.")
    root = run["artifact_uri"].removeprefix("mlflow-artifacts:/").lstrip("/")
    names = sorted(path.name for path in folder.iterdir())
    for name in names:
        put = f"/api/2.0/mlflow-artifacts/artifacts/{root}/{name}"
        answer = client.put(put, (folder / name).read_bytes(), content_type="application/octet-stream")
        assert answer.status_code == 200, answer.content
    body = {"name": "m", "source": run["artifact_uri"], "run_id": run["run_id"]}
    client.post("/api/2.0/mlflow/registered-models/create", {"name": "m"}, content_type="application/json")
    made = client.post("/api/2.0/mlflow/model-versions/create", body, content_type="application/json")
    assert made.status_code == 200, made.content
    return names
