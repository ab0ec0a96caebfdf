"""Addresses that Maestro does not offer: JSON for every method, because clients fall back on exactly that."""

from collections.abc import Callable

import pytest
from django.test import Client

from apps.tenants.models import Tenant


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/api/2.0/mlflow/gateway/list",
        "/api/3.0/mlflow/scorers/list",
        "/ajax-api/2.0/x",
        "/graphql",
        "/get-artifact?path=a&run_uuid=b",
        "/model-versions/get-artifact",
    ],
)
def test_an_unknown_address_answers_json(acme: Tenant, api: Callable[..., Client], method: str, path: str) -> None:
    strict = api(acme)
    strict.handler.enforce_csrf_checks = True
    answer = strict.generic(method, path, b"{}", content_type="application/json")
    assert (answer.status_code, answer.json()["error_code"]) == (404, "ENDPOINT_NOT_FOUND")
