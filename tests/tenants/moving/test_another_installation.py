"""A tenant moves to another installation, with its own database and bucket, and the stock client sees no difference."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests import servers
from tests.conftest import TEMPLATE
from tests.factories.clients import run_script
from tests.factories.stores import bucket_environment
from tests.tenants.moving.conftest import Moved
from tests.tenants.moving.filling import use
from tests.web import WebServer, environment, issue_key, manage, start_web

# Everything that a client can read, as one document.
SEEN = """
import json, os, sys, tempfile
import mlflow
from mlflow import MlflowClient

def plain(thing):
    return {name: str(getattr(thing, name)) for name in vars(type(thing)) if isinstance(vars(type(thing))[name], property)}

client, seen = MlflowClient(), {}
for experiment in client.search_experiments(view_type=3):
    number = experiment.experiment_id
    seen[f"experiment {number}"] = plain(experiment)
    for run in client.search_runs([number], run_view_type=3):
        seen[f"run {run.info.run_id}"] = [plain(run.info), run.data.to_dictionary(), str(run.inputs.to_dictionary())]
        for key in run.data.metrics:
            points = client.get_metric_history(run.info.run_id, key)
            seen[f"points {run.info.run_id} {key}"] = [[p.step, p.timestamp, repr(p.value)] for p in points]
        for file in client.list_artifacts(run.info.run_id):
            with tempfile.TemporaryDirectory() as folder:
                place = client.download_artifacts(run.info.run_id, file.path, folder)
                data = open(place, "rb").read().hex() if os.path.isfile(place) else "folder"
            seen[f"file {run.info.run_id} {file.path}"] = [file.file_size, data]
    for trace in client.search_traces(experiment_ids=[number], include_spans=False):
        seen[f"trace {trace.info.trace_id}"] = trace.info.to_dict()
    for model in client.search_logged_models([number]):
        seen[f"logged model {model.model_id}"] = model.to_dictionary()
for model in client.search_registered_models():
    seen[f"model {model.name}"] = [plain(model) | {"latest_versions": ""}, model.tags, model.aliases]
    for version in client.search_model_versions(f"name = '{model.name}'"):
        seen[f"version {model.name} {version.version}"] = [plain(version), client.get_model_version_download_uri(model.name, version.version)]
print(json.dumps(seen, sort_keys=True, default=str))
"""


@pytest.fixture
def elsewhere(tmp_path: Path) -> dict[str, str]:
    """Another installation: another database, another bucket."""
    name = f"elsewhere_{os.getpid()}"
    servers.clone_database(TEMPLATE, name)
    values = environment(name, tmp_path, home=tmp_path / "home")
    return values | bucket_environment(f"{os.getpid()}/{tmp_path.name}", is_direct=False)


@pytest.mark.s3
@pytest.mark.slow
def test_the_stock_client_reads_the_same(
    committed: Tenant,
    command: Moved,
    api: Callable[..., Client],
    web: WebServer,
    elsewhere: dict[str, str],
    key_for: Callable[..., str],
    tmp_path: Path,
) -> None:
    use(api(committed, "admin"), Project.objects.create(slug="churn", name="Churn"))
    package = tmp_path / "export"
    command("export_tenant", committed.slug, "--to", package)
    told: dict[str, Any] = json.loads(manage(elsewhere, "import_tenant", str(package), "--output", "json"))
    assert (told["slug"], told["id"]) == (committed.slug, str(committed.pk))
    assert all(kind["source_sha256"] == kind["here_sha256"] for kind in told["kinds"].values())
    here = json.loads(run_script(web, key_for(committed), SEEN, tmp_path))
    other = start_web(elsewhere)
    try:
        there = json.loads(run_script(other, issue_key(elsewhere, committed.slug), SEEN, tmp_path))
    finally:
        other.stop()
    kinds = {name.partition(" ")[0] for name in here}
    assert {"experiment", "run", "points", "file", "trace", "logged", "model", "version"} <= kinds
    assert there == here
