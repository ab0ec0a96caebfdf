"""Requests made from our own description of the API, good and bad: none is a fault of the server's.

MAESTRO_FUZZ_EXAMPLES sets how many are made for each operation and mode.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
import yaml
from django.db import transaction
from django.test import Client
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode

from apps.tenants.models import Tenant

EXAMPLES = int(os.environ.get("MAESTRO_FUZZ_EXAMPLES", "4"))
DESCRIPTION = yaml.safe_load((Path(__file__).resolve().parents[2] / "docs" / "openapi.yaml").read_text())
OPERATIONS = [found.ok() for found in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()]


def send(client: Client, case: Any) -> Any:
    """Send a made-up request, and undo whatever it did."""
    query = {name: value for name, value in (case.query or {}).items() if value is not None}
    address = case.formatted_path + ("?" + urlencode(query, doseq=True, errors="replace") if query else "")
    body = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=str).encode()
    has_body = type(case.body).__name__ != "NotSet"
    try:
        with transaction.atomic():
            kind = case.media_type or "application/json"
            answer = client.generic(case.method, address, body if has_body else b"", content_type=kind)
            _ = b"".join(answer) if answer.streaming else answer.content
            transaction.set_rollback(True)
            return answer
    except UnicodeEncodeError:
        return None


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=[one.label for one in OPERATIONS])
def test_no_request_is_our_fault(
    acme: Tenant, api: Callable[..., Client], operation: Any, mode: GenerationMode
) -> None:
    client, seen = api(acme, "admin"), []
    try:
        requests = operation.as_strategy(generation_mode=mode)
    except Exception:
        # There is no wrong request of an operation that takes nothing.
        if mode is GenerationMode.POSITIVE:
            raise
        return

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=requests)
    def ask(case: Any) -> None:
        answer = send(client, case)
        seen.append(answer)
        assert answer is None or answer.status_code < 500 or answer.status_code in {501, 503}, answer.content[:500]

    ask()
    assert seen or mode is GenerationMode.NEGATIVE
