"""What tests by the stock client share."""

from collections.abc import Callable

import pytest
from mlflow import MlflowClient

from apps.tenants.models import Tenant
from tests.factories.clients import use_client
from tests.web import WebServer

KeyFor = Callable[..., str]


@pytest.fixture
def client(committed: Tenant, web: WebServer, key_for: KeyFor, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    return use_client(monkeypatch, web, key_for(committed))
