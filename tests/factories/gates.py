"""Gates, versions and promotions over REST, as the tests of gates need them."""

from typing import Any

from django.test import Client

from tests.factories.sending import make_version, send

V1 = "/api/v1/"
FIRST = "What serves"


def make_gate(client: Client, **facts: Any) -> dict[str, Any]:
    """Make a gate before the alias `gated`, unless facts say otherwise."""
    body = {"name": "Gate", "aliases": ["gated"], "approvals": 1} | facts
    answer = send(client, "post", f"{V1}gates/", body)
    assert answer.status_code == 201, answer.content
    return dict(answer.json())


def two_versions(client: Client, name: str = "churn", kind: str = "model") -> None:
    """An artifact with two versions."""
    make_version(client, name, "one", kind)
    make_version(client, name, "two", kind)


def ask(client: Client, name: str = "churn", version: str = "1", **more: Any) -> Any:
    """Ask for a promotion to `gated`, unless more says otherwise."""
    body = {"version": version} | ({} if "stage" in more else {"alias": "gated"}) | more
    return send(client, "post", f"{V1}artifacts/{name}/promotions/", body)


def path_of(answer: Any) -> str:
    """The address of a promotion that was answered."""
    told = answer.json()
    return f"{V1}artifacts/{told['artifact']}/promotions/{told['id']}/"


def say(client: Client, path: str, decision: str = "approve", etag: str = "", **more: Any) -> Any:
    """Say an approver's word to what stands there now, or to what an ETag says."""
    seen = etag or client.get(path)["ETag"]
    return send(client, "post", f"{path}approvals/", {"decision": decision} | more, If_Match=seen)


def points_at(client: Client, name: str = "churn", alias: str = "gated") -> str | None:
    """The version that an alias points at."""
    answer = client.get(f"{V1}artifacts/{name}/aliases/{alias}/")
    return answer.json()["version"] if answer.status_code == 200 else None


def kinds(answer: Any) -> list[str]:
    """The conditions that a refusal names."""
    assert answer.json()["code"] == "gate_refused", answer.content
    return [fault["code"] for fault in answer.json()["errors"]]
