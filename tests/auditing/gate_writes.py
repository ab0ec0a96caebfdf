"""The writing routes of gates, promotions and the way back of an alias, with the events that each must leave."""

from typing import Any

from tests.factories.stage import V1, Call, Stage, Write


def roll_back_alias(stage: Stage) -> Call:
    artifact = stage.artifact()
    path = stage.alias(artifact)
    stage.ask("PUT", path, {"version": stage.version(artifact)}, **stage.etag(path))
    return Call("POST", f"{path}rollback/", {"why": "worse"}, stage.etag(path))


def a_gate(stage: Stage) -> dict[str, Any]:
    return {"name": stage.name("gate"), "aliases": ["gated"], "approvals": 1}


def existing_gate(stage: Stage, method: str, body: Any = None) -> Call:
    path = f"{V1}gates/{stage.ask('POST', f'{V1}gates/', a_gate(stage)).json()['id']}/"
    return Call(method, path, body, stage.etag(path))


def ask_promotion(stage: Stage) -> Call:
    artifact = stage.artifact()
    body = {"version": stage.version(artifact), "alias": "open", "why": "better"}
    return Call("POST", f"{V1}artifacts/{artifact}/promotions/", body)


def promotion(stage: Stage) -> str:
    artifact = stage.artifact()
    path = f"{V1}artifacts/{artifact}/promotions/"
    body = {"version": stage.version(artifact), "alias": "serving"}
    return f"{path}{stage.ask('POST', path, body).json()['id']}/"


def approve(stage: Stage) -> Call:
    path = promotion(stage)
    return Call("POST", f"{path}approvals/", {"decision": "approve", "why": "fine"}, stage.etag(path))


WRITES: dict[str, Write] = {
    "POST /api/v1/artifacts/<str:artifact>/aliases/<str:alias>/rollback/": Write(roll_back_alias, ("alias.rollback",)),
    "POST /api/v1/gates/": Write(lambda s: Call("POST", f"{V1}gates/", a_gate(s)), ("gate.add",), "admin"),
    "PATCH /api/v1/gates/<uuid:gate>/": Write(
        lambda s: existing_gate(s, "PATCH", {"approvals": 2}), ("gate.change",), "admin"
    ),
    "DELETE /api/v1/gates/<uuid:gate>/": Write(lambda s: existing_gate(s, "DELETE"), ("gate.delete",), "admin"),
    "POST /api/v1/artifacts/<str:artifact>/promotions/": Write(ask_promotion, ("promotion.ask", "alias.set")),
    "DELETE /api/v1/artifacts/<str:artifact>/promotions/<uuid:promotion>/": Write(
        lambda s: Call("DELETE", promotion(s)), ("promotion.withdraw",), "approver"
    ),
    "POST /api/v1/artifacts/<str:artifact>/promotions/<uuid:promotion>/approvals/": Write(
        approve, ("promotion.approve", "alias.set"), "approver"
    ),
}
