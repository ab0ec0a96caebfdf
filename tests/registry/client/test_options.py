"""maestro-ci: what every command takes and tells of itself, and what a dry run leaves undone."""

import argparse
import importlib.util
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from django.test import Client

from apps.registry.models import Alias, ArtifactVersion, Usage
from apps.tenants.models import Tenant
from apps.tracking.models import Project, Run
from tests.playing import CLIENT, as_json, playing
from tests.registry.client.conftest import Ci, others, run_client, told, write

WRITING = {"login", "artifact push", "artifact pull", "artifact use", "promote", "git report", "sync"}
READING = {"whoami", "artifact verify", "gate", "usages", "advice", "report"}


def commands() -> dict[str, argparse.ArgumentParser]:
    """Every command of the client, by the words that call it."""
    spec = importlib.util.spec_from_file_location("maestro_ci", CLIENT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def walk(parser: argparse.ArgumentParser, words: str) -> Iterator[tuple[str, argparse.ArgumentParser]]:
        inner = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
        if not inner:
            yield words, parser
        for action in inner:
            for name, child in action.choices.items():
                yield from walk(child, f"{words} {name}".strip())

    return dict(walk(module.parser(), ""))


def test_every_command_tells_its_exit_codes_takes_an_output_and_a_dry_run_if_it_writes() -> None:
    found = commands()
    assert set(found) == WRITING | READING
    for words, parser in found.items():
        text = parser.format_help()
        assert "Exit codes: 0 done, 1 unexpected" in text, words
        assert "--output {table,json}" in text, words
        assert ("--dry-run" in text) is (words in WRITING), words


@pytest.mark.parametrize("python", others(), ids=lambda path: Path(path).name)
def test_the_help_is_written_by_every_python(tmp_path: Path, python: str) -> None:
    for words in ([], ["artifact", "push"], ["promote"]):
        done = run_client(*words, "--help", folder=tmp_path, python=python)
        assert (done.returncode, "8 --wait took too long" in done.stdout) == (0, True), done.stderr


def test_a_dry_login_trades_nothing_and_leaves_the_files_of_an_earlier_one(tmp_path: Path) -> None:
    (tmp_path / "maestro.env").write_text("kept")
    with playing(lambda turn: as_json(500, {})) as (url, seen):
        place = {"MAESTRO_URL": url, "MAESTRO_TENANT": "acme"}
        arguments = ("login", "--file", "maestro.env", "--dry-run", "--output", "json")
        done = run_client(*arguments, folder=tmp_path, MAESTRO_ID_TOKEN="token", **place)
        assert (done.returncode, json.loads(done.stdout)) == (
            0,
            {"url": url, "audience": "maestro:acme", "has_identity": True, "file": "maestro.env"},
        )
        assert run_client(*arguments, folder=tmp_path, **place).returncode == 3
    assert (seen, (tmp_path / "maestro.env").read_text()) == ([], "kept")


def test_a_dry_run_of_anything_leaves_no_trace(
    ci: Ci, committed: Tenant, api: Callable[..., Client], tmp_path: Path
) -> None:
    write(tmp_path / "files", {"a.txt": b"a"})
    push = ("artifact", "push", "encoder", "files", "--kind", "feature_pipeline", "--version-file", "version")
    assert told(ci(*push, "--alias", "best", "--dry-run", "--output", "json"))["version"] is None
    assert not (tmp_path / "version").exists()
    assert not ArtifactVersion.objects.exists()
    assert told(ci(*push, "--output", "json"))["version"] == "1"
    assert (tmp_path / "version").read_text() == "1\n"
    Project.objects.create(slug="churn", name="Churn")
    pulled = told(ci("artifact", "pull", "encoder", "--to", "got", "--dry-run", "--output", "json"))
    assert (pulled["files"], pulled["fetched"], (tmp_path / "got").exists()) == (1, 0, False)
    told(ci("artifact", "use", "encoder@1", "--project", "churn", "--dry-run", "--output", "json"))
    assert told(ci("promote", "encoder", "1", "--alias", "best", "--dry-run", "--output", "json"))["would"] == "be done"
    assert (Usage.objects.count(), Alias.objects.count(), Run.objects.count()) == (0, 0, 0)
