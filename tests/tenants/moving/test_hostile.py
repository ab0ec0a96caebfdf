"""An export that was cut, changed or made up is refused with one line, and leaves nothing."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from apps.tenants.access.models import ApiKey
from apps.tenants.models import Job, Tenant
from apps.tenants.moving import leaving
from apps.tracking.models import Project
from maestro import storage
from maestro.database.session import connection
from tests.conftest import fresh_tenant
from tests.tenants.moving.conftest import Moved
from tests.tenants.moving.filling import fill

Spoil = Callable[[Path], object]


def manifest_of(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    (folder / "manifest.json").write_text(json.dumps(manifest))


def a_blob(folder: Path) -> Path:
    return next(path for path in sorted((folder / "blobs").rglob("*")) if path.is_file() and path.stat().st_size)


def change_blob(folder: Path) -> None:
    data = bytearray(a_blob(folder).read_bytes())
    data[0] ^= 1
    a_blob(folder).write_bytes(data)


def cut_table(folder: Path) -> None:
    file = folder / "tables" / "tracking_run.jsonl"
    file.write_bytes(file.read_bytes()[:-9])


def forge(name: str, change: Callable[[list[str]], list[str]]) -> Spoil:
    """Change a table's rows and have the manifest agree, as somebody would who means it."""

    def spoil(folder: Path) -> None:
        file = folder / "tables" / f"{name}.jsonl"
        data = "".join(f"{line}\n" for line in change(file.read_text().splitlines())).encode()
        file.write_bytes(data)
        manifest = manifest_of(folder)
        told = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "rows": data.count(b"\n")}
        manifest["tables"][name] |= told
        write_manifest(folder, manifest)

    return spoil


def say(**facts: Any) -> Spoil:
    """Have the manifest say something else."""

    def spoil(folder: Path) -> None:
        manifest = manifest_of(folder)
        for name, value in facts.items():
            *way, last = name.split("__")
            place = manifest
            for step in way:
                place = place[step]
            place[last] = value
        write_manifest(folder, manifest)

    return spoil


def rename_table(folder: Path) -> None:
    manifest = manifest_of(folder)
    manifest["tables"]["../../../etc/passwd"] = manifest["tables"].pop("tracking_run")
    write_manifest(folder, manifest)


def list_other_place(folder: Path) -> None:
    file = folder / "blobs.sha256"
    lines = file.read_text().splitlines()
    lines[0] = f"{lines[0][:64]}  blobs/../../../etc/passwd"
    data = "".join(f"{line}\n" for line in lines).encode()
    file.write_bytes(data)
    say(blobs__sha256=hashlib.sha256(data).hexdigest())(folder)


def link_blob(folder: Path) -> None:
    place, data = a_blob(folder), a_blob(folder).read_bytes()
    outside = folder.parent / "outside"
    outside.write_bytes(data)
    place.unlink()
    place.symlink_to(outside)


def link_tables(folder: Path) -> None:
    (folder / "tables").rename(folder.parent / "elsewhere")
    (folder / "tables").symlink_to(folder.parent / "elsewhere")


def other_key(line: str, name: str, value: Any) -> str:
    return json.dumps(json.loads(line) | {name: value})


SPOILED: dict[str, tuple[Spoil, str]] = {
    "changed bytes": (change_blob, "other bytes"),
    "missing bytes": (lambda folder: a_blob(folder).unlink(), "is not here"),
    "cut bytes": (lambda folder: a_blob(folder).write_bytes(b""), "bytes"),
    "bytes by a link": (link_blob, "bytes|link|can't be read"),
    "a cut table": (cut_table, "tracking_run.jsonl has"),
    "a changed table": (
        lambda folder: (folder / "tables/tracking_run.jsonl").write_bytes(
            (folder / "tables/tracking_run.jsonl").read_bytes().replace(b'"name"', b'"nome"')
        ),
        "not what the manifest says",
    ),
    "a missing table": (lambda folder: (folder / "tables/tracking_run.jsonl").unlink(), "can't be read"),
    "tables by a link": (link_tables, "link"),
    "a table that climbs": (rename_table, "no manifest"),
    "a list that climbs": (list_other_place, "names no content"),
    "a newer format": (say(format=2, more={"of": "it"}), "has format 2"),
    "another release": (say(head="0" * 64), "another release"),
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "manifest.json can't be read"),
    "a manifest that is none": (lambda folder: (folder / "manifest.json").write_bytes(b"\xff{"), "no manifest"),
    "a slug that is none": (say(tenant__slug="../x"), "slug"),
    "fewer rows": (say(tables__tracking_run__rows=5), "not what was exported"),
    "a row that is none": (forge("tracking_run", lambda rows: ["nothing", *rows[1:]]), "no row"),
    "a row of a list": (forge("tracking_run", lambda rows: ["[1]", *rows[1:]]), "no row"),
    "a value that is none": (forge("tracking_run", lambda rows: [other_key(rows[0], "start_ms", "x")]), "no row"),
    "a row that names nothing": (
        forge("tracking_run", lambda rows: [other_key(rows[0], "experiment_id", 9)]),
        "no row",
    ),
    "a column that is none": (forge("tracking_run", lambda rows: [other_key(rows[0], "more", 1)]), "not what was"),
    "a withheld column": (
        forge("auth_user", lambda rows: [other_key(row, "password", "x") for row in rows]),
        "not what",
    ),
    "a row twice": (forge("tracking_run", lambda rows: rows * 2), "no row"),
    "bytes that climb": (
        forge("tracking_blob", lambda rows: [*rows, other_key(rows[0], "sha256", "../../../../x")]),
        "does not list",
    ),
}


@pytest.fixture(scope="module")
def whole(django_db_setup: None, django_db_blocker: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An export that nothing is wrong with."""
    folder = tmp_path_factory.mktemp("whole") / "export"
    with django_db_blocker.unblock():
        for tenant in fresh_tenant():
            key = ApiKey.objects.issue(slug=tenant.slug, name="admin", role="admin", at=timezone.now())[1]
            client = Client(headers={"host": f"{tenant.slug}.localhost", "authorization": f"Bearer {key}"})
            fill(client, Project.objects.create(slug="churn", name="Churn"))
            leaving.leave(tenant.slug, folder, by="test")
            connection.set_tenant(tenant)
    return folder


@pytest.fixture
def package(whole: Path, tmp_path: Path, django_db_blocker: Any) -> Iterator[Path]:
    """A copy of it, to be spoiled."""
    shutil.copytree(whole, tmp_path / "export")
    with django_db_blocker.unblock():
        connection.set_schema_to_public()
        yield tmp_path / "export"


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_spoiled_is_refused_and_leaves_nothing(package: Path, new_slug: str, command: Moved, case: str) -> None:
    spoil, reason = SPOILED[case]
    spoil(package)
    wanted = [] if case == "a slug that is none" else ["--slug", new_slug]
    told, code = command("import_tenant", package, *wanted)
    assert code in (2, 4, 5), told
    assert any(word in told["refused"] for word in reason.split("|")), told
    assert "\n" not in told["refused"]
    connection.set_schema_to_public()
    assert not Tenant.objects.filter(slug=new_slug).exists()
    assert not Job.objects.filter(kind="import_tenant", state="running").exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", [new_slug.replace("-", "_")])
        assert cursor.fetchone() is None
    known = {str(identity) for identity in Tenant.objects.values_list("pk", flat=True)}
    root = Path(storage.backend().path("tenants"))
    assert {name for name in os.listdir(root) if any((root / name).rglob("*.*"))} <= known
