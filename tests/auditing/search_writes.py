"""The writing routes of searches that are kept: each belongs to who keeps it, so the same key asks."""

from tests.factories.stage import V1, Call, Stage, Write, send


def keep(stage: Stage) -> Call:
    return Call("POST", f"{V1}searches/", {"name": stage.name("search"), "q": "encode", "kind": "model"})


def forget(stage: Stage) -> Call:
    client = stage.api(stage.tenant, "viewer")
    made = send(client, keep(stage))
    assert made.status_code == 201, made.content
    return Call("DELETE", f"{V1}searches/{made.json()['id']}/", client=client)


WRITES = {
    "POST /api/v1/searches/": Write(keep, ("search.keep",), "viewer"),
    "DELETE /api/v1/searches/<uuid:search>/": Write(forget, ("search.delete",), "viewer"),
}
