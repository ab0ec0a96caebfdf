"""Forges as tests speak for them: deliveries with their headers, signed as each forge signs."""

import base64
import hashlib
import hmac
import itertools
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.test import Client
from django.utils import timezone

numbers = itertools.count(1)


def hex_of(secret: str, body: bytes) -> str:
    """HMAC-SHA256 as hex."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(secret: str, body: bytes, event: str, name: str) -> dict[str, str]:
    """GitHub's headers."""
    return {
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": name,
        "X-Hub-Signature-256": f"sha256={hex_of(secret, body)}",
    }


def gitea(secret: str, body: bytes, event: str, name: str) -> dict[str, str]:
    """Gitea's headers, with the other forges' names that it sends beside its own."""
    own = {"X-Gitea-Event": event, "X-Gitea-Delivery": name, "X-Gitea-Signature": hex_of(secret, body)}
    return own | {"X-GitHub-Event": event, "X-GitHub-Delivery": name, "X-Gogs-Event": event}


def gitlab(secret: str, body: bytes, event: str, name: str) -> dict[str, str]:
    """GitLab's headers with the token."""
    return {"X-Gitlab-Event": event, "X-Gitlab-Event-UUID": name, "X-Gitlab-Token": secret}


def gitlab_signed(secret: str, body: bytes, event: str, name: str, at: datetime | None = None) -> dict[str, str]:
    """GitLab's headers with a signature of Standard Webhooks."""
    stamp = str(int((at or timezone.now()).timestamp()))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    made = hmac.new(key, f"{name}.{stamp}.".encode() + body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(b'x' * 32).decode()} v1,{base64.b64encode(made).decode()}"
    return {
        "X-Gitlab-Event": event,
        "webhook-id": name,
        "webhook-timestamp": stamp,
        "webhook-signature": signature,
    }


SIGNERS = {"github": github, "gitlab": gitlab, "gitea": gitea}


@dataclass(frozen=True)
class Forge:
    """One repository of a forge that is connected."""

    kind: str
    path: str
    secret: str
    client: Client

    def send(self, event: str, payload: Any, *, name: str = "", **headers: str) -> Any:
        """Deliver an event; `headers` take the place of those that a forge would send."""
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        made = SIGNERS[self.kind](self.secret, body, event, name or f"delivery-{next(numbers)}")
        given = {key.lower(): value for key, value in made.items()} | headers
        return self.client.post(self.path, body, content_type="application/json", headers=given)


def connect(admin: Client, project: str, kind: str = "github", *, host: str = "acme.localhost") -> Forge:
    """Connect a project to a forge by the REST door."""
    asked = {"project": project, "kind": kind, "name": f"{kind} of {project}"}
    answer = admin.post("/api/v1/connections/", asked, content_type="application/json")
    assert answer.status_code == 201, answer.content
    made = answer.json()
    path = "/hooks/" + made["url"].partition("/hooks/")[2]
    return Forge(kind, path, made["secret"], Client(headers={"host": host}))
