"""Broken, hostile and half stores: what is wrong is named and left out as a whole, and nothing outside the folder is read."""

import http.server
import ipaddress
import os
import signal
import socketserver
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django_tenants.utils import tenant_context

from apps.registry.models import Artifact
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, Param, Run, RunFile
from tests.patience import ANSWER_SECONDS
from tests.registry.imports.conftest import Run as Command

ROOT = Path(__file__).resolve().parents[3]
Spoil = Callable[[Path], None]


def run_of(kept: Path, name: str) -> Path:
    """The folder of a run in the file store."""
    return next(
        meta.parent for meta in (kept / "mlruns").glob("8*/*/meta.yaml") if f"run_name: {name}\n" in meta.read_text()
    )


def meta(old: str, new: str) -> Spoil:
    """Change a run's meta.yaml."""

    def spoil(run: Path) -> None:
        text = (run / "meta.yaml").read_text()
        assert old in text
        (run / "meta.yaml").write_text(text.replace(old, new))

    return spoil


def write(path: str, data: bytes) -> Spoil:
    """Write a file of a run."""

    def spoil(run: Path) -> None:
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        (run / path).write_bytes(data)

    return spoil


def link(path: str, target: str) -> Spoil:
    """Put a link into a run."""

    def spoil(run: Path) -> None:
        (run / path).parent.mkdir(parents=True, exist_ok=True)
        (run / path).symlink_to(target)

    return spoil


BROKEN: dict[str, tuple[Spoil, str]] = {
    "no meta": (lambda run: (run / "meta.yaml").unlink(), "can't be read"),
    "empty meta": (write("meta.yaml", b""), "no mapping"),
    "cut meta": (write("meta.yaml", b"run_id: 'abc"), "no plain YAML"),
    "objects": (write("meta.yaml", b"!!python/object/apply:os.system ['touch /tmp/x']"), "no plain YAML"),
    "anchors": (write("meta.yaml", b"a: &a [1]\nb: [*a, *a]"), "anchors"),
    "deep": (write("meta.yaml", b"a: " + b"[" * 5_000), "nested"),
    "no text": (write("meta.yaml", b"\xff\xfe\xfd"), "no plain YAML"),
    "another id": (meta("run_id: ", "run_id: x"), "another run"),
    "climbing id": (meta("run_id: ", "run_id: ../../"), "no id"),
    "unknown status": (meta("status: 3", "status: 9"), "status is not known"),
    "unknown stage": (meta("lifecycle_stage: active", "lifecycle_stage: asleep"), "lifecycle_stage is not known"),
    "no number": (meta("start_time: ", "start_time: soon"), "no whole number"),
    "far future": (meta("end_time: ", "end_time: 99999"), "out of bounds"),
    "a huge param": (write("params/huge", b"x" * 6_001), "more than 6000 characters"),
    "a nought in a tag": (write("tags/bad", b"a\0b"), "no text"),
    "a param that is no text": (write("params/bad", b"\xff\xfe"), "no UTF-8"),
    "a metric of words": (write("metrics/bad", b"1 one 1\n"), "no number"),
    "a metric of four": (write("metrics/bad", b"1 2 3 4\n"), "no point"),
    "a step beyond": (write("metrics/bad", b"1 2 9223372036854775808\n"), "out of bounds"),
    "a long name": (write("metrics/" + "x" * 251, b"1 2 3\n"), "more than 250 characters"),
    "a param behind a link": (link("params/secret", "/etc/hostname"), "a link"),
    "a folder behind a link": (link("inputs/elsewhere", "/etc"), "by a link"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_run_is_left_out_as_a_whole_and_named(acme: Tenant, kept: Path, command: Command, case: str) -> None:
    spoil, reason = BROKEN[case]
    run = run_of(kept, "child")
    spoil(run)
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert (code, told["whole"], told["differences"]) == (5, False, [])
    (left,) = [one for one in told["left"] if one["kind"] == "run"]
    assert left["identity"] == run.name
    assert reason in left["reason"]
    assert not Run.objects.filter(pk=run.name).exists()
    assert not Param.objects.filter(run_id=run.name).exists()
    assert not LatestMetric.objects.filter(run_id=run.name).exists()
    assert told["kinds"]["run"]["here"] == 8


@pytest.mark.parametrize("target", ["/etc/hostname", "../meta.yaml", "nowhere"])
def test_no_link_among_files_is_followed(acme: Tenant, kept: Path, command: Command, target: str) -> None:
    run = run_of(kept, "child")
    link("artifacts/secret", target)(run)
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert (code, told["left"][0]["kind"]) == (5, "files of run")
    assert not RunFile.objects.filter(run=UUID(run.name)).exists()


def test_a_pipe_does_not_stop_it(acme: Tenant, kept: Path, command: Command) -> None:
    run = run_of(kept, "child")
    (run / "artifacts").mkdir(exist_ok=True)
    os.mkfifo(run / "artifacts" / "pipe")
    os.mkfifo(run / "params") if not (run / "params").exists() else os.mkfifo(run / "params" / "pipe")
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert code == 5
    assert {one["identity"] for one in told["left"]} == {run.name}


def test_an_experiment_behind_a_link_stays_there(acme: Tenant, kept: Path, command: Command, tmp_path: Path) -> None:
    home = next((kept / "mlruns").glob("8*"))
    home.rename(tmp_path / "elsewhere")
    home.symlink_to(tmp_path / "elsewhere")
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert (code, "by a link" in told["left"][0]["reason"]) == (5, True)
    assert not Run.objects.filter(name="parent").exists()


def test_what_is_no_store_is_refused(acme: Tenant, tmp_path: Path, command: Command) -> None:
    (tmp_path / "text").write_text("hello")
    (tmp_path / "cut").write_bytes(b"SQLite format 3\0" + b"x" * 50)
    sqlite3.connect(tmp_path / "empty.db").execute("CREATE TABLE a (b)").connection.close()
    for name, code in (("text", 2), ("cut", 2), ("empty.db", 2), ("nowhere", 4)):
        assert command("import_mlflow", tmp_path / name, "--tenant", "acme")[1] == code, name
    assert command("import_mlflow", "http://127.0.0.1:1/", "--tenant", "acme")[1] == 2
    assert command("import_mlflow", "file:///etc/../etc/shadow", "--tenant", "acme")[1] == 2


SPOILED = {
    "a status": "UPDATE runs SET status = 'ASLEEP' WHERE name = 'child'",
    "a time": "UPDATE runs SET start_time = 'soon' WHERE name = 'child'",
    "a value": "UPDATE metrics SET value = 'much' WHERE key = 'acc'",
    "bytes for a text": "UPDATE runs SET name = x'ff00' WHERE name = 'child'",
    "a huge value": "INSERT INTO params SELECT 'huge', printf('%.*c', 70000, 'x'), run_uuid FROM runs WHERE name = 'child'",
}


@pytest.mark.parametrize("case", SPOILED)
def test_a_broken_row_of_sqlite_is_left_out_and_named(acme: Tenant, kept: Path, command: Command, case: str) -> None:
    link = sqlite3.connect(kept / "sqlite" / "mlflow.db")
    link.execute("PRAGMA ignore_check_constraints = ON")
    link.execute(SPOILED[case])
    link.commit()
    link.close()
    told, code = command("import_mlflow", kept / "sqlite" / "mlflow.db", "--tenant", "acme")
    assert (code, [one["kind"] for one in told["left"]]) == (5, ["run"])
    assert (told["kinds"]["run"]["here"], Run.objects.filter(name="child").exists()) == (8, False)


def test_an_alias_without_its_version_leaves_the_model_out(acme: Tenant, kept: Path, command: Command) -> None:
    (kept / "mlruns" / "models" / "churn" / "aliases" / "champion").write_text("9")
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert (code, [one["identity"] for one in told["left"]]) == (5, ["churn"])
    assert not Artifact.objects.filter(name="churn").exists()


class Half(http.server.BaseHTTPRequestHandler):
    """A server that says the beginning, and then what the test wants."""

    answers: dict[str, bytes] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = next((text for name, text in self.answers.items() if name in self.path), None)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"") + (100 if body and body.endswith(b"CUT") else 0)))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *args: Any) -> None:
        """Say nothing."""


@contextmanager
def half_a_server(answers: dict[str, bytes]) -> Iterator[str]:
    """Serve some answers."""
    handler = type("Some", (Half,), {"answers": answers})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


EXPERIMENTS = (
    b'{"experiments": [{"experiment_id": "1", "name": "one", "creation_time": 1, "lifecycle_stage": "active"}]}'
)
RUNS = (
    b'{"runs": [{"info": {"run_id": "0123456789abcdef0123456789abcdef", "run_name": "r", "status": "FINISHED",'
    b' "start_time": 1}, "data": {"metrics": [{"key": "loss", "value": 1}]}}]%s}'
)
HALVES: dict[str, tuple[dict[str, bytes], int]] = {
    "no json": ({"experiments/search": b"<html>"}, 7),
    "no object": ({"experiments/search": b"[]"}, 7),
    "cut": ({"experiments/search": b'{"experiments": CUT'}, 7),
    "runs cut": ({"experiments/search": EXPERIMENTS, "runs/search": b'{"runs": [CUT'}, 7),
    "a circle": (
        {
            "experiments/search": EXPERIMENTS,
            "runs/search": RUNS % b', "next_page_token": "again"',
            "history": b'{"metrics": []}',
        },
        7,
    ),
    "no histories": ({"experiments/search": EXPERIMENTS, "runs/search": RUNS % b""}, 4),
}


@pytest.mark.parametrize("case", HALVES)
def test_a_server_that_stops_half_way_ends_it_and_no_run_is_half(
    acme: Tenant, command: Command, settings: Any, case: str
) -> None:
    settings.EGRESS_ALLOW = [ipaddress.ip_network("127.0.0.0/8")]
    answers, code = HALVES[case]
    with half_a_server(answers) as url:
        told = command("import_mlflow", url, "--tenant", "acme")
    assert told[1] == code, told
    assert not Run.objects.exclude(created_by__startswith="import of").exists()


def test_a_list_of_files_may_not_lead_elsewhere(acme: Tenant, command: Command, settings: Any) -> None:
    settings.EGRESS_ALLOW = [ipaddress.ip_network("127.0.0.0/8")]
    answers = {
        "experiments/search": EXPERIMENTS,
        "runs/search": RUNS % b"",
        "history": b'{"metrics": [{"key": "loss", "value": NaN, "timestamp": 1, "step": 0, "run_id": "0123456789abcdef0123456789abcdef"}]}',
        "artifacts/list": b'{"files": [{"path": "../../etc/passwd", "file_size": 1}, {"path": "ok.txt", "file_size": 5}]}',
        "get-artifact": b"bytes",
        "registered-models": b"{}",
    }
    with half_a_server(answers) as url:
        told, code = command("import_mlflow", url, "--tenant", "acme")
    assert (code, [one["kind"] for one in told["left"]]) == (5, ["file"])
    assert list(RunFile.objects.values_list("path", flat=True)) == ["ok.txt"]


def test_a_kill_in_the_middle_is_gone_on_from(committed: Tenant, kept: Path, test_environment: dict[str, str]) -> None:
    """Killed after its first runs: each that is there is whole, and the second time adds the rest."""
    home = next((kept / "mlruns").glob("8*"))
    for number in range(1_500):
        folder = home / f"{number:032x}"
        (folder / "metrics").mkdir(parents=True)
        (folder / "artifacts").mkdir()
        (folder / "artifacts" / "a.txt").write_text(str(number))
        (folder / "metrics" / "loss").write_text("".join(f"{i + 1} {i / 7} {i}\n" for i in range(20)))
        (folder / "meta.yaml").write_text(f"run_id: '{number:032x}'\nrun_name: r{number}\nstatus: 3\nstart_time: 1\n")
    command = [
        sys.executable,
        str(ROOT / "manage.py"),
        "import_mlflow",
        str(kept / "mlruns"),
        "--tenant",
        committed.slug,
    ]
    first = subprocess.Popen(command, env=os.environ | test_environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + ANSWER_SECONDS
    with tenant_context(committed):
        while not Run.objects.exists():
            assert time.monotonic() < until
            assert first.poll() is None, first.stderr.read()
            time.sleep(0.01)
        first.send_signal(signal.SIGKILL)
        first.communicate()
        some = Run.objects.count()
        assert 0 < some < 1_509
        assert RunFile.objects.filter(path="a.txt").count() == Run.objects.filter(name__regex="^r[0-9]+$").count()
        done = subprocess.run(command, env=os.environ | test_environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        assert Run.objects.count() == 1_509
        assert RunFile.objects.filter(path="a.txt").count() == 1_500
        assert Experiment.objects.filter(name="churn model").count() == 1
