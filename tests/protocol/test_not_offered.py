"""Every call that the stock client knows of is offered, or stands here as one that is not, and answers so."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import resolve
from mlflow.protos import databricks_pb2
from mlflow.protos.mlflow_artifacts_pb2 import MlflowArtifactsService
from mlflow.protos.model_registry_pb2 import ModelRegistryService
from mlflow.protos.service_pb2 import MlflowService
from mlflow.protos.webhooks_pb2 import WebhookService

from apps.tenants.models import Tenant

# GenAI review, keys and judges, jobs, workspaces, webhooks; what clients before 3.3 asked of traces; dashboards.
NOT_OFFERED = re.compile(
    r"/api/[23]\.0/mlflow/(?:gateway|issues|label-schemas|prompt-optimization|review-queues|scorers|webhooks|workspaces"
    r"|unified-traces|get-online-trace-details|traces/metrics|traces/calculate-filter-correlation)"
    r"(?:/.*)?"
)
BEFORE_3_3 = {
    ("POST", "/api/2.0/mlflow/traces"),
    ("GET", "/api/2.0/mlflow/traces"),
    ("PATCH", "/api/2.0/mlflow/traces/x1"),
    ("GET", "/api/2.0/mlflow/traces/x1/info"),
}


def calls(service: Any) -> Iterator[tuple[str, str]]:
    """List the calls of a service as method and address."""
    for method in service.DESCRIPTOR.methods:
        for endpoint in method.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
            path = "/" + re.sub(r"[{<][^}>]*[}>]", "x1", endpoint.path).lstrip("/")
            yield endpoint.method, f"/api/{endpoint.since.major}.0{path}"


KNOWN = sorted(
    {
        call
        for service in (MlflowService, ModelRegistryService, MlflowArtifactsService, WebhookService)
        for call in calls(service)
    }
)


def is_refused(method: str, path: str) -> bool:
    return (method, path) in BEFORE_3_3 or NOT_OFFERED.fullmatch(path) is not None


def test_the_client_knows_as_many_calls_as_when_this_was_written() -> None:
    assert len(KNOWN) > 150
    assert sum(not is_refused(*call) for call in KNOWN) > 80


@pytest.mark.parametrize(("method", "path"), [call for call in KNOWN if not is_refused(*call)])
def test_a_call_is_offered(method: str, path: str) -> None:
    view: Any = resolve(path).func
    view = view.view_class
    assert method in view.offered, view


def test_what_is_not_offered_answers_the_code_that_clients_fall_back_on(
    acme: Tenant, api: Callable[..., Client]
) -> None:
    client = api(acme)
    for method, path in KNOWN:
        if is_refused(method, path):
            answer = client.generic(method, path, b"{}", content_type="application/json")
            assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND"), (method, path)
