"""The writing routes that put artifacts and versions into the trash, and take them out."""

from tests.factories.stage import V1, Call, Stage, Write


def throw_artifact(stage: Stage) -> Call:
    path = f"{V1}artifacts/{stage.artifact()}/"
    return Call("DELETE", path, None, stage.etag(path))


def throw_version(stage: Stage) -> Call:
    artifact = stage.artifact()
    path = f"{V1}artifacts/{artifact}/versions/{stage.version(artifact)}/"
    return Call("DELETE", path, None, stage.etag(path))


def gone(stage: Stage, call: Call) -> str:
    return str(stage.ask(call.method, call.path, call.body, **call.headers).json()["id"])


def restore_artifact(stage: Stage) -> Call:
    return Call("POST", f"{V1}trash/artifacts/{gone(stage, throw_artifact(stage))}/restore/")


def restore_version(stage: Stage) -> Call:
    return Call("POST", f"{V1}trash/versions/{gone(stage, throw_version(stage))}/restore/")


WRITES = {
    "DELETE /api/v1/artifacts/<str:artifact>/": Write(throw_artifact, ("artifact.trash",)),
    "DELETE /api/v1/artifacts/<str:artifact>/versions/<str:version>/": Write(throw_version, ("version.trash",)),
    "POST /api/v1/trash/artifacts/<uuid:trashed>/restore/": Write(restore_artifact, ("artifact.restore",)),
    "POST /api/v1/trash/versions/<uuid:trashed_version>/restore/": Write(restore_version, ("version.restore",)),
}
