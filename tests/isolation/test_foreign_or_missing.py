"""What belongs to another tenant sounds like what never was: same answer, same headers, same work for the database."""

import re
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from maestro.database import statements
from tests.auditing.mlflow_writes import dataset, trace
from tests.auditing.rest_writes import a_view, key, publisher, two_champions
from tests.factories.stage import MLFLOW, V1, Stage

FILES = "/api/2.0/mlflow-artifacts/artifacts/"
LITERAL = re.compile(r"\"s\d+_x\d+\"|'(?:[^']|'')*'|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|\b\d+\b")
SAME_LENGTH = str.maketrans("0123456789abcdef", "1032547698badcfe")


def twin(identity: str) -> str:
    """Another id of the same shape, which nobody has."""
    head, tail = identity[:-8], identity[-8:]
    return str(int(identity) + 90_000) if identity.isdecimal() else head + tail.translate(SAME_LENGTH)


def view(stage: Stage) -> str:
    return str(stage.ask("POST", f"{V1}views/", a_view(stage)).json()["id"])


def search(stage: Stage) -> str:
    return str(stage.ask("POST", f"{V1}searches/", {"name": stage.name("search"), "q": "x"}).json()["id"])


def forecast(stage: Stage) -> str:
    return str(stage.ask("POST", f"{V1}forecasts/", {"problem_class": "classification"}).json()["id"])


def importance(stage: Stage) -> str:
    path = f"{V1}experiments/{stage.experiment()}/importance/"
    return str(stage.ask("POST", path, {"metric": "auc"}).json()["id"])


def project_id(stage: Stage) -> str:
    return str(stage.ask("GET", f"{V1}projects/{stage.project()}/").json()["id"])


def artifact_id(stage: Stage) -> str:
    return str(stage.ask("GET", f"{V1}artifacts/{stage.artifact()}/").json()["id"])


def slug_of_a_project(stage: Stage) -> str:
    slug = f"p-{uuid.uuid4().hex}"
    stage.ask("PUT", f"{V1}projects/{slug}/", {})
    return slug


def project_with_an_outcome(stage: Stage) -> str:
    slug = slug_of_a_project(stage)
    stage.ask("PUT", f"{V1}projects/{slug}/outcome/", {"success": 70})
    return slug


def run_with_a_file(stage: Stage) -> str:
    return stage.file_of_a_run().removeprefix(FILES).removesuffix("/artifacts/a.txt")


def name_of_a_model(stage: Stage) -> str:
    name = f"m-{uuid.uuid4().hex}"
    stage.ask("PUT", f"{V1}artifacts/{name}/", {"kind": "model"})
    stage.version(name)
    return name


def run(stage: Stage) -> str:
    return str(stage.run()["run_id"])


# How a thing is made, and where it is asked for.
KINDS: dict[str, tuple[Callable[[Stage], str], str]] = {
    "project by id": (project_id, f"{V1}projects/{{}}/"),
    "project by slug": (slug_of_a_project, f"{V1}projects/{{}}/"),
    "members": (slug_of_a_project, f"{V1}projects/{{}}/members/"),
    "outcome": (project_with_an_outcome, f"{V1}projects/{{}}/outcome/"),
    "advice": (slug_of_a_project, f"{V1}projects/{{}}/advice/"),
    "experiment": (Stage.experiment, f"{V1}experiments/{{}}/"),
    "run": (run, f"{V1}runs/{{}}/"),
    "files of a run": (run, f"{V1}runs/{{}}/files/"),
    "lineage of a run": (run, f"{V1}runs/{{}}/lineage/"),
    "artifact by id": (artifact_id, f"{V1}artifacts/{{}}/"),
    "artifact by name": (name_of_a_model, f"{V1}artifacts/{{}}/"),
    "version": (name_of_a_model, f"{V1}artifacts/{{}}/versions/1/"),
    "file of a version": (name_of_a_model, f"{V1}artifacts/{{}}/versions/1/files/a.txt"),
    "key": (key, f"{V1}keys/{{}}/"),
    "publisher": (lambda stage: str(publisher(stage)["id"]), f"{V1}publishers/{{}}/"),
    "view": (view, f"{V1}views/{{}}/"),
    "search": (search, f"{V1}searches/{{}}/"),
    "training": (lambda stage: str(two_champions().pk), f"{V1}trainings/{{}}/"),
    "forecast": (forecast, f"{V1}forecasts/{{}}/"),
    "importance": (importance, f"{V1}importances/{{}}/"),
    "MLflow experiment": (Stage.experiment, f"{MLFLOW}experiments/get?experiment_id={{}}"),
    "MLflow run": (run, f"{MLFLOW}runs/get?run_id={{}}"),
    "MLflow history": (run, f"{MLFLOW}metrics/get-history?run_id={{}}&metric_key=m"),
    "MLflow files": (run, f"{MLFLOW}artifacts/list?run_id={{}}"),
    "MLflow file": (run_with_a_file, f"{FILES}{{}}/artifacts/a.txt"),
    "MLflow model": (name_of_a_model, f"{MLFLOW}registered-models/get?name={{}}"),
    "MLflow version": (name_of_a_model, f"{MLFLOW}model-versions/get?name={{}}&version=1"),
    "MLflow logged model": (Stage.logged_model, f"{MLFLOW}logged-models/{{}}"),
    "MLflow trace": (lambda stage: trace(stage)[0], "/api/3.0/mlflow/traces/{}"),
    "MLflow dataset": (lambda stage: dataset(stage).rpartition("/")[2], "/api/3.0/mlflow/datasets/{}"),
}


class Watched:
    """One request with everything that could tell two apart, but for the clock."""

    def __init__(self, client: Client, path: str, identity: str, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[str] = []
        plain = statements.run

        def noted(sql: str, *args: Any) -> Any:
            sent.append(sql)
            return plain(sql, *args)

        with monkeypatch.context() as patch, CaptureQueriesContext(connection) as asked:
            patch.setattr(statements, "run", noted)
            answer = client.get(path.format(identity), headers={"x-request-id": "the-same-request"})
        body = answer.content if not answer.streaming else b"".join(answer)
        self.status = answer.status_code
        self.body = re.sub(rf"(?<!\w){re.escape(identity)}(?!\w)", "<id>", body.decode())
        self.headers = {name: value for name, value in answer.items() if name != "Content-Length"}
        self.work = [LITERAL.sub("?", query["sql"]) for query in asked] + [LITERAL.sub("?", sql) for sql in sent]


@pytest.mark.parametrize("kind", KINDS)
def test_a_foreign_thing_is_answered_like_a_missing_one(
    acme: Tenant, globex: Tenant, api: Callable[..., Client], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    make, path = KINDS[kind]
    with tenant_context(acme):
        stage = Stage(acme, api)
        theirs = make(stage)
        known = Watched(stage.admin, path, theirs, monkeypatch)
    assert known.status == 200, known.body
    client = api(globex, "admin")
    Watched(client, path, twin(theirs), monkeypatch)
    foreign, missing = (Watched(client, path, identity, monkeypatch) for identity in (theirs, twin(theirs)))
    assert foreign.status == missing.status in {400, 404}
    assert foreign.body == missing.body
    assert foreign.headers == missing.headers
    assert foreign.work == missing.work
    assert foreign.work
