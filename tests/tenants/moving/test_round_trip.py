"""A tenant that was exported and imported is the same tenant, to the last digit, byte and id."""

import hashlib
import json
import subprocess
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth.models import User

from apps.tenants import routing
from apps.tenants.models import Job, OperatorEvent, Tenant
from apps.tenants.moving import tables
from apps.tracking.files import blobs
from apps.tracking.models import Blob, Experiment
from maestro import storage
from maestro.database.session import connection
from tests.tenants.moving.conftest import Moved, standing_in
from tests.tenants.moving.filling import raw_rows

# Bytes that say nothing secret: what a quiet run logged, and the shape of a metric's curve.
PLAIN_BYTES = {("tracking_rundocument", "body"), ("tracking_metricchunk", "outline"), ("tracking_connection", "salt")}
SECRET = ("secret", "password", "token", "pepper", "seed_key")


def test_every_table_travels_or_says_why_not(acme: Tenant) -> None:
    everything, travelling = set(tables.everything()), {table.name: table for table in tables.travelling()}
    assert travelling.keys() | tables.STAYS.keys() == everything
    assert travelling.keys() & tables.STAYS.keys() == set()
    assert all(len(reason) > 20 for reason in tables.STAYS.values())
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    models = {
        model._meta.db_table for model in apps.get_models(include_auto_created=True) if model._meta.app_label in labels
    }
    assert models == everything - {"django_migrations"}
    columns = {(name, column.name): column.kind for name, table in travelling.items() for column in table.columns}
    assert not columns.keys() & tables.WITHHELD.keys()
    assert {place for place, kind in columns.items() if kind == "bytea"} == PLAIN_BYTES
    assert {place for place in columns if any(word in place[1] for word in SECRET)} == {
        ("access_oidcprovider", "token_url")
    }
    points_at_what_stays = [
        (table, target)
        for table, target in tables.asked(tables.LINKS)
        if table in travelling and target in tables.STAYS
    ]
    assert points_at_what_stays == []


def test_all_of_a_tenant_comes_over(filled: Tenant, package: Path, new_slug: str, command: Moved) -> None:
    names = [table.name for table in tables.travelling()]
    before, contents = raw_rows(names), dict(Blob.objects.values_list("sha256", "size_bytes"))
    assert [name for name in names if json.loads(before[name])[0] == 0] == []
    told, code = command("import_tenant", package, "--slug", new_slug)
    assert code == 0, told
    assert all(kind["is_equal"] and kind["source"] == kind["here"] for kind in told["kinds"].values())
    assert told["kinds"].keys() == {*names, "contents"}
    assert told["stayed"]["access_apikey"]["rows"] == 2
    with standing_in(new_slug):
        assert raw_rows(names) == before
        for blob in Blob.objects.all():
            assert hashlib.sha256(b"".join(blobs.read(blob))).hexdigest() == blob.sha256
        assert dict(Blob.objects.values_list("sha256", "size_bytes")) == contents
        assert not User.objects.get(username="outsider").has_usable_password()
        made = Experiment.objects.create(name="the next", created_ms=1, updated_ms=1)
        assert made.pk > Experiment.objects.exclude(pk=made.pk).order_by("-pk")[0].pk
    connection.set_schema_to_public()
    events = OperatorEvent.objects.filter(object_id__in=[filled.slug, new_slug], action__startswith="tenant.")
    assert {"tenant.export", "tenant.import"} <= set(events.values_list("action", flat=True))
    assert Job.objects.get(kind="import_tenant", tenant__slug=new_slug).state == "done"
    assert routing.by_slug(new_slug).is_active


def test_the_folder_is_plain_to_read(filled: Tenant, package: Path) -> None:
    done = subprocess.run(["sha256sum", "-c", "--quiet", "blobs.sha256"], cwd=package, check=False)
    assert done.returncode == 0
    manifest = json.loads((package / "manifest.json").read_text())
    for name, facts in manifest["tables"].items():
        data = (package / "tables" / f"{name}.jsonl").read_bytes()
        rows = [json.loads(line) for line in data.splitlines()]
        assert (len(rows), hashlib.sha256(data).hexdigest()) == (facts["rows"], facts["sha256"])
        assert all(row.keys() <= set(facts["columns"]) for row in rows)
    texts = b"".join(path.read_bytes() for path in (package / "tables").iterdir())
    assert b"argon2" not in texts
    assert not (package / ".unfinished").exists()


def test_again_writes_rows_anew_and_brings_only_new_bytes(
    filled: Tenant, package: Path, command: Moved, tmp_path: Path
) -> None:
    first = json.loads((package / "manifest.json").read_text())
    Experiment.objects.create(name="later", created_ms=1, updated_ms=1)
    blobs.store([b"later"])
    told, code = command("export_tenant", filled.slug, "--to", package)
    assert (code, told["copied"], told["blobs"]) == (0, 1, first["blobs"]["count"] + 1)
    assert told["rows"] > sum(facts["rows"] for facts in first["tables"].values())
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "full")
    assert (code, "not empty" in told["refused"]) == (2, True)
    told, code = command("export_tenant", "no-such-tenant", "--to", tmp_path / "none")
    assert (code, (tmp_path / "none").exists()) == (4, False)


def test_a_dry_run_writes_nothing(filled: Tenant, package: Path, new_slug: str, command: Moved, tmp_path: Path) -> None:
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "dry", "--dry-run")
    assert (code, (tmp_path / "dry").exists(), told["blobs"] > 0) == (0, False, True)
    told, code = command("import_tenant", package, "--slug", new_slug, "--dry-run")
    assert (code, told["kinds"]["tracking_run"]["source"], told["kinds"]["tracking_run"]["here"]) == (0, 1, 0)
    connection.set_schema_to_public()
    assert not Tenant.objects.filter(slug=new_slug).exists()
    told, code = command("import_tenant", package, "--slug", filled.slug, "--dry-run")
    assert (code, "--slug" in told["refused"]) == (5, True)


def test_bytes_that_the_store_has_lost_are_named_on_both_sides(
    filled: Tenant, new_slug: str, command: Moved, tmp_path: Path
) -> None:
    lost, _ = blobs.store([b"to be lost"])
    changed, _ = blobs.store([b"to be changed"])
    root = Path(storage.backend().path(storage.tenant_prefix()))
    (root / lost.storage_key).unlink()
    (root / changed.storage_key).write_bytes(b"TO BE CHANGED")
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "export")
    assert (code, sorted(told["missing"])) == (5, sorted([lost.sha256, changed.sha256]))
    told, code = command("import_tenant", tmp_path / "export", "--slug", new_slug)
    assert (code, sorted(told["missing"])) == (5, sorted([lost.sha256, changed.sha256]))
    with standing_in(new_slug):
        assert Blob.objects.filter(pk=lost.pk).exists()
