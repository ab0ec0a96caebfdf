"""maestro-ci: versions pushed, pulled, used and compared."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from django.test import Client

from apps.registry.models import ArtifactVersion, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.factories.door import Door
from tests.factories.signing import attest, new_key, public_pem, sign_folder
from tests.playing import as_json, playing
from tests.registry.client.conftest import Ci, others, run_client, told, write

FILES = {"95%_ci #1.txt": b"odd name", "deep/er/b.bin": bytes(range(256)), "a.txt": b"a"}
PUSH = ("artifact", "push", "encoder", "files", "--kind", "feature_pipeline", "--output", "json")


@pytest.mark.parametrize("python", [None, *others()])
def test_what_is_pushed_is_pulled_byte_for_byte(ci: Ci, committed: Tenant, tmp_path: Path, python: str | None) -> None:
    write(tmp_path / "files", FILES)
    with_python = {"python": python} if python else {}
    made = told(ci(*PUSH, **with_python))
    assert (made["version"], made["files"], made["sent_files"]) == ("1", 3, 3)
    again = told(ci(*PUSH, **with_python))
    assert (again["version"], again["sent_files"], again["digest"]) == ("1", 0, made["digest"])
    got = told(ci("artifact", "pull", "encoder@1", "--to", "got", "--output", "json", **with_python))
    assert (got["fetched"], got["digest"]) == (3, made["digest"])
    assert {name: (tmp_path / "got" / name).read_bytes() for name in FILES} == FILES
    (tmp_path / "got" / "a.txt").write_bytes(b"other")
    assert told(ci("artifact", "pull", "encoder", "--to", "got", "--output", "json", **with_python))["fetched"] == 1
    same = told(ci("artifact", "verify", "got", "--version", "encoder@1", "--output", "json", **with_python))
    assert same["is_same"] is True


def test_the_digest_is_what_sha256sum_prints(ci: Ci, committed: Tenant, tmp_path: Path) -> None:
    folder = write(tmp_path / "files", {"b.txt": b"b", "a.txt": b"a"})
    lines = subprocess.run(["sha256sum", "a.txt", "b.txt"], cwd=folder, capture_output=True, check=True).stdout
    assert told(ci(*PUSH, "--dry-run"))["digest"] == hashlib.sha256(lines).hexdigest()
    assert not ArtifactVersion.objects.exists()


def test_a_large_file_goes_in_parts_and_on_where_it_stopped(ci: Ci, committed: Tenant, tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 33 + b"the rest"
    write(tmp_path / "files", {"large.bin": content})
    assert told(ci(*PUSH))["sent_bytes"] == len(content)
    got = ci("artifact", "pull", "encoder", "--to", "got")
    assert got.returncode == 0, got.stderr
    assert (tmp_path / "got" / "large.bin").read_bytes() == content


def test_a_folder_that_differs_is_named_by_the_file(ci: Ci, committed: Tenant, tmp_path: Path) -> None:
    write(tmp_path / "files", FILES)
    told(ci(*PUSH))
    for change, said in (({"a.txt": b"x"}, "a.txt has other bytes"), ({"new": b""}, "new is one file too many")):
        write(tmp_path / "files", FILES | change)
        done = ci("artifact", "verify", "files", "--version", "encoder")
        assert (done.returncode, said in done.stderr) == (5, True), done.stderr
    write(tmp_path / "files", {"a.txt": b"a"})
    assert "is missing" in ci("artifact", "verify", "files", "--version", "encoder").stderr


def test_a_use_is_recorded_of_a_run_and_of_a_project(
    ci: Ci, committed: Tenant, api: Callable[..., Client], tmp_path: Path
) -> None:
    write(tmp_path / "files", {"a.txt": b"a"})
    told(ci(*PUSH))
    run = Door(api(committed)).run()
    told(ci("artifact", "pull", "encoder", "--to", "got", "--run", run, "--output", "json"))
    assert Usage.objects.filter(run_id=Run.objects.get(pk=run).pk).count() == 1
    Project.objects.create(slug="churn", name="Churn")
    rows = told(ci("artifact", "use", "encoder@1", "--project", "churn", "--output", "json"))
    assert rows == [{"artifact": "encoder", "version": "1"}]
    listed = told(ci("usages", "churn", "--output", "json"))
    assert [(row["artifact"], row["version"], row["run"]) for row in listed] == [("encoder", "1", None)]
    assert "encoder" in ci("usages", "churn").stdout


def test_what_is_not_there_ends_with_4_and_softly_with_0(ci: Ci, committed: Tenant, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": b"a"})
    assert ci("artifact", "pull", "nothing@1").returncode == 4
    no_kind = ci("artifact", "push", "encoder", "files")
    assert (no_kind.returncode, "--kind" in no_kind.stderr) == (4, True)
    assert ci("artifact", "push", "encoder", "nowhere", "--kind", "model").returncode == 2
    Project.objects.create(slug="churn", name="Churn")
    soft = ci("artifact", "use", "nothing", "--project", "churn", "--soft-fail")
    assert (soft.returncode, "no such artifact" in soft.stderr) == (0, True)
    assert ci(*PUSH, role="viewer").returncode == 3


@pytest.mark.parametrize("name", ["../out.txt", "/etc/out.txt", "a/../../out.txt"])
def test_a_server_can_write_nowhere_but_in_the_folder(tmp_path: Path, name: str) -> None:
    version = {"version": "1", "digest": "d"}
    files = {"results": [{"path": name, "sha256": "0" * 64, "size_bytes": 1}], "next": None}
    with playing(lambda turn: as_json(200, version if turn == 1 else files)) as (url, _):
        done = run_client(
            "artifact", "pull", "m@1", "--to", "in", folder=tmp_path, MAESTRO_URL=url, MAESTRO_TOKEN="mst_x"
        )
    assert (done.returncode, "would leave" in done.stderr) == (1, True), done.stderr


def test_bytes_that_are_not_what_was_promised_are_not_kept(tmp_path: Path) -> None:
    version = {"version": "1", "digest": "d"}
    files = {"results": [{"path": "a.txt", "sha256": "0" * 64, "size_bytes": 1}], "next": None}
    plays = {1: as_json(200, version), 2: as_json(200, files)}
    with playing(lambda turn: plays.get(turn, (200, {}, b"other"))) as (url, _):
        done = run_client(
            "artifact", "pull", "m@1", "--to", "in", folder=tmp_path, MAESTRO_URL=url, MAESTRO_TOKEN="mst_x"
        )
    assert (done.returncode, list((tmp_path / "in").iterdir())) == (7, []), done.stderr


def test_a_signature_is_checked_without_a_server(tmp_path: Path) -> None:
    key, folder = new_key(), write(tmp_path / "m", {"a.txt": b"a", "b/c.txt": b"c"})
    sign_folder(folder, key)
    (tmp_path / "public.pem").write_text(public_pem(key))
    (tmp_path / "other.pem").write_text(public_pem(new_key()))
    arguments = ("artifact", "verify", "m", "--signature", "model.sig", "--key")
    assert told(run_client(*arguments, "public.pem", "--output", "json", folder=tmp_path))["is_valid"] is True
    assert run_client(*arguments, "other.pem", folder=tmp_path).returncode == 5
    write(folder, {"a.txt": b"a", "b/c.txt": b"d"})
    changed = run_client(*arguments, "public.pem", folder=tmp_path)
    assert (changed.returncode, "b/c.txt has other bytes" in changed.stderr) == (5, True)


@pytest.mark.parametrize("kind", ["ed25519", "P-384"])
def test_an_attestation_is_checked_without_a_server(tmp_path: Path, kind: str) -> None:
    folder = write(tmp_path / "m", {"a.txt": b"a"})
    key = ed25519.Ed25519PrivateKey.generate() if kind == "ed25519" else ec.generate_private_key(ec.SECP384R1())
    (tmp_path / "public.pem").write_text(public_pem(key))
    digests = {"a.txt": hashlib.sha256((folder / "a.txt").read_bytes()).hexdigest()}
    (tmp_path / "made.json").write_text(json.dumps(attest(digests, key)))
    arguments = ("artifact", "verify", "m", "--signature", "made.json", "--key", "public.pem")
    assert run_client(*arguments, folder=tmp_path).returncode == 0
    write(folder, {"a.txt": b"b"})
    assert run_client(*arguments, folder=tmp_path).returncode == 5
