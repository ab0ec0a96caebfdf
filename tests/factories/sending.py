"""Send JSON as a client does, and make small things over the API."""

import json
from typing import Any

from django.test import Client


def send(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """One request with a JSON body; header names are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = "" if body is None else json.dumps(body)
    return getattr(client, method)(path, text, content_type="application/json", headers=named)


def make_version(client: Client, name: str, text: str = "x", kind: str = "feature_pipeline") -> dict[str, Any]:
    """Make an artifact if it is missing, and a version with one small file."""
    made = send(client, "put", f"/api/v1/artifacts/{name}/", {"kind": kind})
    assert made.status_code in (200, 201), made.content
    body = {"files": [{"path": "content.txt", "text": text}]}
    answer = send(client, "post", f"/api/v1/artifacts/{name}/versions/", body, Idempotency_Key=f"{name}-{hash(text)}")
    assert answer.status_code in (200, 201), answer.content
    return dict(answer.json())
