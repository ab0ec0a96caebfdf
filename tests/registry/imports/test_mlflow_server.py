"""What a real `mlflow server` keeps comes over its REST calls, equal to the last digit and byte."""

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from apps.tenants.models import Tenant
from tests.registry.imports import test_mlflow_stores as stores
from tests.registry.imports.conftest import Run as Command
from tests.registry.imports.servers import mlflow_server, seed

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("server")
    with mlflow_server(folder) as url:
        seed(url, folder)
        yield url


@pytest.fixture(autouse=True)
def allowed(settings: Any) -> None:
    """The operator opens the way to a server of the house."""
    settings.EGRESS_ALLOW = [ipaddress.ip_network("127.0.0.0/8")]


def test_a_server_comes_over_whole_and_once(acme: Tenant, server: str, command: Command) -> None:
    told, code = command("import_mlflow", server, "--tenant", "acme")
    assert (told["left"], told["differences"], code) == ([], [], 0)
    new = {kind: tally["new"] for kind, tally in told["kinds"].items() if kind != "point"}
    assert new == {"experiment": 3, "run": 9, "logged model": 1, "trace": 2, "registered model": 3, "version": 3}
    assert told["kinds"]["point"]["here"] == 60
    stores.look_at_runs(is_sql=True)
    stores.look_at_models()
    stores.look_at_traces()
    told, code = command("import_mlflow", server, "--tenant", "acme")
    assert (code, sum(tally["new"] for tally in told["kinds"].values())) == (0, 0)


def test_a_server_and_its_own_file_say_the_same(acme: Tenant, server: str, command: Command, settings: Any) -> None:
    told, code = command("import_mlflow", server, "--tenant", "acme", "--dry-run")
    assert (code, told["kinds"]["run"]["source"]) == (0, 9)
    settings.EGRESS_ALLOW = []
    told, code = command("import_mlflow", server, "--tenant", "acme")
    assert (code, "MAESTRO_EGRESS_ALLOW" in told["refused"]) == (2, True)
