"""What GTO's tags registered at commits of the past comes over as versions, and its stages as aliases."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from dulwich import porcelain
from dulwich.refs import Ref
from dulwich.repo import Repo

from apps.registry import aliases
from apps.registry.imports.dvc import gto
from apps.registry.models import Alias, AliasMove, ArtifactVersion, Evidence, Gate
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from maestro.clock import from_ms, now_ms
from maestro.principals import Actor
from tests.registry.imports.conftest import Run
from tests.registry.imports.test_dvc import repository

__all__ = ["repository"]
OLD, NEW = b"1,2\n", b"a newer model\n"
AUTHOR = b"ada <ada@example.org>"


def commit(folder: Path, at: int, *tags: str, annotated: bool = False) -> None:
    repo = Repo(str(folder))
    porcelain.add(repo, [str(folder / name) for name in ("dvc.lock", "dvc.yaml", "raw.dvc", "table.csv.dvc")])
    made = porcelain.commit(repo, b"a commit", author=AUTHOR, committer=AUTHOR, commit_timestamp=at)
    for tag in tags:
        porcelain.tag_create(repo, tag.encode(), AUTHOR, b"a tag", annotated=annotated, objectish=made, tag_time=at)
    repo.close()


@pytest.fixture
def past(repository: Path) -> Path:
    """A repository with three commits: an old model, a newer one, and one that does not name it any more."""
    shutil.rmtree(repository / ".git")
    porcelain.init(str(repository)).close()
    commit(repository, 1_700_000_000, "churn-model@v1.2.0", "churn-model#prod#1", "churn-model#dev#2", annotated=True)
    md5 = hashlib.md5(NEW, usedforsecurity=False).hexdigest()
    place = repository / ".dvc" / "cache" / "files" / "md5" / md5[:2]
    place.mkdir(exist_ok=True)
    (place / md5[2:]).write_bytes(NEW)
    lock = repository / "dvc.lock"
    old = hashlib.md5(OLD, usedforsecurity=False).hexdigest()
    lock.write_text(lock.read_text().replace(f"md5: {old}\n      size: 4", f"md5: {md5}\n      size: {len(NEW)}"))
    commit(
        repository,
        1_700_000_100,
        "churn-model@v1.3.0",
        "churn-model#prod#3",
        "churn-model@v1.3.1",
        "v9",
        "other@v1.0.0",
    )
    return repository


def files(version: ArtifactVersion) -> bytes:
    return b"".join(blobs.read(version.files.select_related("blob").get().blob))


@pytest.mark.parametrize("is_packed", [False, True])
def test_versions_of_the_past_come_with_their_names_and_stages(
    acme: Tenant, past: Path, command: Run, is_packed: bool
) -> None:
    if is_packed:
        repo = Repo(str(past))
        repo.object_store.pack_loose_objects()
        repo.close()
    Gate.objects.create(name="in production", aliases=["prod"], files=["card.md"], changed_at=from_ms(now_ms()))
    told, code = command("import_dvc", past, "--tenant", "acme")
    left = {(one["kind"], one["identity"]) for one in told["left"]}
    assert left == {
        ("bytes of output", "report.json"),
        ("artifact", "gone"),
        ("git tag", "churn-model#prod#1"),
        ("git tag", "other@v1.0.0"),
    }
    assert (code, told["differences"], told["admitted"]) == (5, [], ["churn-model@prod"])
    first, second = ArtifactVersion.objects.filter(artifact__name="churn-model").order_by("number")
    assert (files(first), files(second)) == (OLD, NEW)
    named = [version.tags.get(key="gto.version").value for version in (first, second)]
    assert named == ["v1.2.0", "v1.3.0, v1.3.1"]
    assert {alias.name: alias.version for alias in Alias.objects.all()} == {"prod": second, "dev": first}
    assert (Evidence.objects.get().act, Evidence.objects.get().name) == ("import", "prod")
    again, _ = command("import_dvc", past, "--tenant", "acme")
    assert [tally["new"] for kind, tally in again["kinds"].items() if kind != "version"] == [0, 0]
    assert (AliasMove.objects.count(), ArtifactVersion.objects.filter(artifact__name="churn-model").count()) == (2, 2)


def test_a_stage_follows_later_tags_until_somebody_moves_it_here(acme: Tenant, past: Path, command: Run) -> None:
    command("import_dvc", past, "--tenant", "acme")
    first, second = ArtifactVersion.objects.filter(artifact__name="churn-model").order_by("number")
    repo = Repo(str(past))
    repo.refs[Ref(b"refs/tags/churn-model#prod#7")] = repo.refs[Ref(b"refs/tags/churn-model@v1.2.0")]
    command("import_dvc", past, "--tenant", "acme")
    assert Alias.objects.get(name="prod").version == first
    aliases.point(second.artifact, "prod", second, Actor("ada"), at=from_ms(now_ms()))
    told, _ = command("import_dvc", past, "--tenant", "acme")
    assert Alias.objects.get(name="prod").version == second
    assert ("churn-model#prod#7", True) in [(one["identity"], "moved here" in one["reason"]) for one in told["left"]]
    repo.close()


def test_a_broken_or_borrowed_store_of_objects_is_named(acme: Tenant, past: Path, command: Run) -> None:
    for place in (past / ".git" / "objects").glob("??/*"):
        place.chmod(0o644)
        place.write_bytes(b"no object")
    told, code = command("import_dvc", past, "--tenant", "acme")
    assert (code, not Alias.objects.exists()) == (5, True)
    assert {one["identity"] for one in told["left"] if one["kind"] == "git tag"} > {"churn-model@v1.2.0"}
    (past / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (past / ".git" / "objects" / "info" / "alternates").write_text("/etc\n")
    told, code = command("import_dvc", past, "--tenant", "acme")
    assert (code, [one["reason"] for one in told["left"] if one["kind"] == "git"]) == (
        5,
        ["this repository borrows objects of another one, which are not read"],
    )


TAGS = {
    "model@v1.2.0": ("register", "model", "v1.2.0", 0),
    "model@v1.2.0-rc.1": ("register", "model", "v1.2.0-rc.1", 0),
    "a/b=model@v1.2.0": ("register", "a/b:model", "v1.2.0", 0),
    "model@v1.2.0!": ("deregister", "model", "v1.2.0", 0),
    "model@v1.2.0!2": ("deregister", "model", "v1.2.0", 2),
    "model#prod#3": ("assign", "model", "prod", 3),
    "model#prod": ("assign", "model", "prod", 0),
    "model#prod!#4": ("unassign", "model", "prod", 4),
    "model@deprecated#5": ("deprecate", "model", "", 5),
    "v1.2.0": None,
    "release/1": None,
    "model@latest": None,
}


@pytest.mark.parametrize("tag", TAGS)
def test_tags_are_read_as_gto_writes_them(tag: str) -> None:
    event = gto.read(tag)
    assert TAGS[tag] == (event and (event.act.value, event.name, event.what, event.count))


def test_what_was_taken_back_does_not_stand() -> None:
    said = "m@v1.0.0 m@v1.1.0 m@v1.0.0! m#prod#1 m#prod#3 m#dev#4 m#dev!#5 n@v1.0.0 n#prod#1 n@deprecated"
    events = [replace(event, at=at) for at, tag in enumerate(said.split()) if (event := gto.read(tag))]
    registered, stages = gto.standing(events)
    assert [event.tag for event in registered] == ["m@v1.1.0"]
    assert {key: event.tag for key, event in stages.items()} == {("m", "prod"): "m#prod#3"}


def test_a_later_number_counts_though_its_commit_is_older() -> None:
    first, second = (gto.read(tag) for tag in ("m#prod#1", "m#prod#2"))
    assert first
    assert second
    _, stages = gto.standing([replace(second, at=5), replace(first, at=9)])
    assert stages["m", "prod"].tag == "m#prod#2"
