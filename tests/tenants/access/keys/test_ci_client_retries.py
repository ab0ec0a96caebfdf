"""maestro-ci against servers that are slow to agree, lead astray or answer nonsense; and that it is plain Python 3.9."""

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.patience import START_SECONDS
from tests.playing import ADMITTED, CLIENT, Answer, Play, as_json, playing

LOGIN = ("login", "--file", "maestro.env")
STANDARD = frozenset(
    [
        "argparse",
        "base64",
        "concurrent",
        "hashlib",
        "json",
        "math",
        "os",
        "random",
        "re",
        "shlex",
        "shutil",
        "subprocess",
        "sys",
        "tempfile",
        "time",
        "urllib",
    ]
)


def run(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    values = {"HOME": str(folder), "PATH": os.environ["PATH"], "MAESTRO_TENANT": "acme", **variables}
    command = [sys.executable, "-I", str(CLIENT), *arguments]
    return subprocess.run(
        command, env=values, cwd=folder, capture_output=True, text=True, check=False, timeout=START_SECONDS
    )


def test_it_is_python_3_9_and_needs_nothing() -> None:
    source = CLIENT.read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    found = {name.name.split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    found |= {(node.module or "").split(".")[0] for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert found <= STANDARD
    newer = (ast.Match, ast.TryStar)
    assert not [node for node in ast.walk(tree) if isinstance(node, newer)]
    unions = [
        node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and (node.returns or node.args.kwarg)
    ]
    assert unions == []


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_passes_by_itself_is_tried_again_with_a_fresh_identity(tmp_path: Path, status: int) -> None:
    def play(turn: int) -> Answer:
        return as_json(200, ADMITTED) if turn == 3 else as_json(status, {"detail": "wait"}, Retry_After="0")

    with playing(play) as (url, seen):
        done = run(*LOGIN, "--url", url, "--output", "json", folder=tmp_path, MAESTRO_ID_TOKEN="token")
    assert (done.returncode, len(seen)) == (0, 3), done.stderr
    assert json.loads(done.stdout)["role"] == "contributor"
    assert ADMITTED["key"] not in done.stdout + done.stderr
    kept = tmp_path / "maestro.env.key"
    assert kept.read_text().strip() == ADMITTED["key"]
    assert kept.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("status", "code", "tries"),
    [(503, 7, 5), (400, 1, 1), (401, 3, 1), (403, 3, 1), (404, 4, 1), (409, 5, 1), (500, 1, 1)],
)
def test_each_refusal_has_its_exit_code_and_a_final_one_is_not_repeated(
    tmp_path: Path, status: int, code: int, tries: int
) -> None:
    with playing(lambda turn: as_json(status, {"detail": "no"}, Retry_After="0")) as (url, seen):
        done = run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN="token")
    assert (done.returncode, len(seen), done.stdout) == (code, tries, "")
    assert "no" in done.stderr


def test_a_redirect_is_not_followed_and_nonsense_is_no_success(tmp_path: Path) -> None:
    with playing(lambda turn: as_json(200, ADMITTED)) as (elsewhere, stolen):
        astray: Play = lambda turn: (307, {"Location": f"{elsewhere}/take"}, b"")  # noqa: E731
        with playing(astray) as (url, _):
            done = run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN="token")
    assert (done.returncode, stolen) == (1, [])
    told = ADMITTED | {"key": "mst_acme_x\nPATH=/tmp"}
    for nonsense in (b"", b"<html>", b"[]", b'{"role": 1}', b"null", json.dumps(told).encode()):
        with playing(lambda turn, body=nonsense: (200, {}, body)) as (url, _):  # type: ignore[misc]
            done = run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN="token")
        assert done.returncode == 1, nonsense
        assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_projected_token_is_read_anew_and_a_key_is_never_sent_in_clear(tmp_path: Path) -> None:
    token = tmp_path / "identity"
    token.write_text("projected\n")
    with playing(lambda turn: as_json(200, ADMITTED)) as (url, seen):
        done = run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN_FILE=str(token))
    assert done.returncode == 0
    path, headers, body = seen[0]
    assert (path, body) == ("/api/v1/auth/exchange/", {"token": "projected"})
    assert headers["X-Maestro-Tenant"] == "acme"
    assert "Authorization" not in headers
    refused = run(*LOGIN, "--url", "http://maestro.example.org", folder=tmp_path, MAESTRO_ID_TOKEN="token")
    assert (refused.returncode, "not https" in refused.stderr) == (2, True)


def test_a_jobs_environment_gets_the_key_masked(tmp_path: Path) -> None:
    environment = tmp_path / "env"
    environment.touch()
    with playing(lambda turn: as_json(200, ADMITTED)) as (url, _):
        done = run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN="t", GITHUB_ENV=str(environment))
    assert done.stdout.splitlines()[0] == f"::add-mask::{ADMITTED['key']}"
    assert f"MLFLOW_TRACKING_TOKEN={ADMITTED['key']}\n" in environment.read_text()


def test_a_relic_of_an_earlier_job_is_gone_when_the_next_one_is_not_let_in(tmp_path: Path) -> None:
    with playing(lambda turn: as_json(200 if turn == 1 else 403, ADMITTED)) as (url, _):
        codes = [run(*LOGIN, "--url", url, folder=tmp_path, MAESTRO_ID_TOKEN="t").returncode for _ in range(2)]
    assert codes == [0, 3]
    assert list(tmp_path.iterdir()) == []


def test_the_old_way_ends_the_shell_that_evaluates_it(tmp_path: Path) -> None:
    with playing(lambda turn: as_json(200, ADMITTED)) as (url, seen):
        words = f'eval "$({sys.executable} {CLIENT} login --env --url {url})"; echo went on'
        done = subprocess.run(["sh", "-c", words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout, seen) == (2, "", [])
    assert "login --file maestro.env || exit" in done.stderr
