"""What a real dvc 3 wrote comes over with its bytes and its lineage; what has no place here is named."""

import hashlib
import tarfile
from pathlib import Path

import pytest

from apps.registry.models import Artifact, ArtifactVersion, Edge
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from tests.registry.imports.conftest import HERE, Run

GTO = ["churn-model#prod#1", "churn-model@v1.2.0"]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    with tarfile.open(HERE / "dvc-3.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path / "repository"


def test_outputs_come_with_bytes_and_lineage(acme: Tenant, repository: Path, command: Run) -> None:
    told, code = command("import_dvc", repository, "--tenant", "acme")
    left = [(one["kind"], one["identity"]) for one in told["left"]]
    # The second output of the stage is not in the cache, as its pipeline says.
    expected = [("bytes of output", "report.json"), ("artifact", "gone"), *(("git tag", tag) for tag in GTO)]
    assert (sorted(left), told["differences"], code) == (sorted(expected), [], 5)
    assert dict(Artifact.objects.values_list("name", "kind")) == {
        "raw": "dataset",
        "table.csv": "dataset",
        "churn-model": "model",
        "report.json": "dataset",
    }
    raw = ArtifactVersion.objects.get(artifact__name="raw")
    files = {row.path: b"".join(blobs.read(row.blob)) for row in raw.files.select_related("blob")}
    assert files == {"a.csv": b"1,2\n", "deep/b.csv": b"3,4\n"}
    model = ArtifactVersion.objects.get(artifact__name="churn-model")
    assert model.files.get().blob.sha256 == hashlib.sha256(b"1,2\n").hexdigest()
    tags = {tag.key: tag.value for tag in model.tags.all()}
    assert (tags["dvc.md5"], tags["dvc.size"]) == (hashlib.md5(b"1,2\n", usedforsecurity=False).hexdigest(), "4")
    assert "cp raw/a.csv" in tags["dvc.cmd"]
    assert "train.py" in tags["dvc.deps"]
    ends = set(Edge.objects.values_list("to_version__artifact__name", flat=True))
    assert (ends, Edge.objects.filter(from_version=raw, kind="dvc:train").count()) == (
        {"churn-model", "report.json"},
        2,
    )
    pointer = ArtifactVersion.objects.get(artifact__name="report.json").files.get()
    assert pointer.path == "report.json.dvc"


def test_a_second_time_adds_nothing_and_a_new_content_a_version(acme: Tenant, repository: Path, command: Run) -> None:
    first, _ = command("import_dvc", repository, "--tenant", "acme")
    again, _ = command("import_dvc", repository / "dvc.lock", "--tenant", "acme", "--source-name", str(repository))
    assert (first["kinds"]["version"]["new"], again["kinds"]["version"]["new"], again["kinds"]["edge"]["new"]) == (
        4,
        0,
        0,
    )
    told, _ = command("import_dvc", repository, "--tenant", "acme", "--dry-run")
    assert told["kinds"]["version"]["new"] == 1  # whose bytes are still missing
    data = b"a,b\n1,2\n"
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    place = repository / ".dvc" / "cache" / "files" / "md5" / md5[:2]
    place.mkdir(exist_ok=True)
    (place / md5[2:]).write_bytes(data)
    pointer = repository / "table.csv.dvc"
    pointer.write_text(f"outs:\n- md5: {md5}\n  size: {len(data)}\n  hash: md5\n  path: table.csv\n")
    command("import_dvc", repository, "--tenant", "acme")
    assert list(ArtifactVersion.objects.filter(artifact__name="table.csv").values_list("number", flat=True)) == [2, 1]


SPOILED = {
    "other bytes": (None, "other bytes"),
    "another schema": ("schema: '2.0'\n=schema: '9.0'\n", "schema"),
    "no digest": ("md5: =md5: zz", "no MD5"),
    "a climbing path": ("path: model.bin=path: ../../etc/passwd", "leads out"),
    "anchors": ("stages:=stages: &a", "anchors"),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_spoiled_is_named_and_nothing_outside_is_read(
    acme: Tenant, repository: Path, command: Run, case: str
) -> None:
    change, reason = SPOILED[case]
    if change is None:
        for file in (repository / ".dvc" / "cache").rglob("*"):
            if file.is_file() and not file.name.endswith(".dir"):
                file.chmod(0o644)
                file.write_bytes(b"x,y\n")
    else:
        old, _, new = change.partition("=")
        lock = repository / "dvc.lock"
        lock.write_text(lock.read_text().replace(old, new))
    told, code = command("import_dvc", repository, "--tenant", "acme")
    assert code == 5
    assert any(reason in one["reason"] for one in told["left"])
    assert not ArtifactVersion.objects.filter(files__path__contains="passwd").exists()


def test_a_link_in_the_cache_is_not_followed(acme: Tenant, repository: Path, command: Run) -> None:
    md5 = hashlib.md5(b"a,b\n", usedforsecurity=False).hexdigest()
    file = repository / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    file.unlink()
    file.symlink_to("/etc/hostname")
    told, code = command("import_dvc", repository, "--tenant", "acme")
    assert (code, "table.csv" in [one["identity"] for one in told["left"]]) == (5, True)
