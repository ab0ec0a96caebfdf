"""Refusals in the words that people match on: the original's, with our reason behind them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from tests.factories.door import Door

ApiFor = Callable[..., Client]
SAID: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("experiments/create", {"name": "x", "tags": "5"}, "Invalid value \"5\" for parameter 'tags' supplied"),
    ("experiments/create", {"name": 5}, "Invalid value 5 for parameter 'name' supplied"),
    (
        "runs/log-metric",
        {"key": "m", "value": 1, "timestamp": 1, "step": "foo"},
        "Invalid value \"foo\" for parameter 'step' supplied",
    ),
    ("runs/log-parameter", {"run_id": 31, "key": "p", "value": 41}, "Invalid value 31 for parameter 'run_id' supplied"),
    ("runs/set-tag", {"run_id": 31, "key": "p", "value": 41}, "Invalid value 31 for parameter 'run_id' supplied"),
    (
        "registered-models/set-tag",
        {"name": "m", "key": "k", "value": "v" * 100_001},
        "'value' exceeds the maximum length of 100000 characters",
    ),
)


@pytest.mark.parametrize(("path", "body", "words"), SAID)
def test_a_refusal_shows_the_value_as_the_original_does(
    acme: Tenant, api: ApiFor, path: str, body: dict[str, Any], words: str
) -> None:
    door = Door(api(acme))
    body = {"run_id": door.run(), **body} if path.startswith("runs/") else body
    status, answer = door.send(path, body)
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert words in answer["message"]
    assert len(answer["message"]) < 1_000


def test_a_path_that_leaves_its_folder_is_an_invalid_path(acme: Tenant, api: ApiFor) -> None:
    door = Door(api(acme))
    answer = door.client.get("/api/2.0/mlflow/artifacts/list", {"run_id": door.run(), "path": "../x"})
    assert (answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert answer.json()["message"].startswith("Invalid path")
