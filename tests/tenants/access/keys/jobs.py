"""What tests of CI jobs share: what a job says of itself, and how it asks for a key."""

from collections.abc import Callable
from typing import Any

from django.test import Client

EXCHANGE = "/api/v1/auth/exchange/"
PUBLISHERS = "/api/v1/publishers/"
Door = Callable[..., Client]
REPOSITORY = {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"}
JOB = REPOSITORY | {
    "sub": "repo:acme/churn:ref:refs/heads/main",
    "repository": "acme/churn",
    "event_name": "push",
    "aud": "maestro:acme",
}


def exchange(token: str, tenant: str = "acme") -> Any:
    client = Client(headers={"host": f"{tenant}.localhost"})
    return client.post(EXCHANGE, {"token": token}, content_type="application/json")
