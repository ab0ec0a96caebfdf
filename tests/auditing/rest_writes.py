"""Every writing route of the REST door, with the change that it makes and the events that this must leave."""

import uuid
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import Group, User
from django.utils import timezone

from apps.recommendations.models import ImpactModel, Training
from tests.auditing import forge_writes, gate_writes, search_writes, trash_writes, webhook_writes
from tests.auditing.ci_jobs import exchange, nobody, publisher, publisher_fields
from tests.factories.signing import attest, new_key, public_pem
from tests.factories.stage import V1, Call, Stage, Write, digest_of, send

PASSWORD = "a long and silly password"


def once() -> dict[str, str]:
    return {"idempotency-key": uuid.uuid4().hex}


def put_version(stage: Stage) -> Call:
    text = stage.name("text")
    path = f"{V1}artifacts/{stage.artifact()}/versions/{digest_of(text)}/"
    return Call("PUT", path, {"files": [{"path": "a.txt", "text": text}]})


def patch_artifact(stage: Stage) -> Call:
    path = f"{V1}artifacts/{stage.artifact()}/"
    return Call("PATCH", path, {"description": "new"}, stage.etag(path))


def patch_version(stage: Stage) -> Call:
    artifact = stage.artifact()
    path = f"{V1}artifacts/{artifact}/versions/{stage.version(artifact)}/"
    return Call("PATCH", path, {"description": "new"}, stage.etag(path))


def put_alias(stage: Stage) -> Call:
    artifact = stage.artifact()
    return Call("PUT", f"{V1}artifacts/{artifact}/aliases/champion/", {"version": stage.version(artifact)})


def delete_alias(stage: Stage) -> Call:
    path = stage.alias(stage.artifact())
    return Call("DELETE", path, None, stage.etag(path))


def key(stage: Stage) -> str:
    return str(stage.ask("POST", f"{V1}keys/", {"name": "other", "role": "viewer"}).json()["id"])


def own_key(method: str, path: str) -> Any:
    def prepare(stage: Stage) -> Call:
        return Call(method, path, {} if method == "POST" else None)

    return prepare


def person(stage: Stage) -> tuple[str, str]:
    made = User.objects.create_user(stage.name("person"), password=PASSWORD)
    made.groups.add(Group.objects.get(name="contributor"))
    return made.username, PASSWORD


def sign_in(stage: Stage) -> Call:
    username, password = person(stage)
    return Call("POST", f"{V1}auth/token/", {"username": username, "password": password}, client=nobody(stage))


def pair(stage: Stage) -> dict[str, str]:
    username, password = person(stage)
    pair: dict[str, str] = stage.ask("POST", f"{V1}auth/token/", {"username": username, "password": password}).json()
    return pair


def with_refresh(path: str) -> Any:
    return lambda stage: Call("POST", V1 + path, {"refresh": pair(stage)["refresh"]}, client=nobody(stage))


def signing_key_fields(key: Any) -> dict[str, Any]:
    return {"name": "release", "kind": "public_key", "pem": public_pem(key)}


def end_signing_key(stage: Stage) -> Call:
    made = stage.ask("POST", f"{V1}signing-keys/", signing_key_fields(new_key())).json()
    return Call("DELETE", f"{V1}signing-keys/{made['id']}/")


def sign_version(stage: Stage) -> Call:
    key, artifact = new_key(), stage.artifact()
    stage.ask("POST", f"{V1}signing-keys/", signing_key_fields(key))
    version = stage.version(artifact)
    digest = stage.ask("GET", f"{V1}artifacts/{artifact}/versions/{version}/", None).json()["digest"]
    path = f"{V1}artifacts/{artifact}/versions/{version}/signatures/"
    return Call("POST", path, attest({"it": digest}, key))


def two_champions() -> Training:
    """A training whose model serves, and one before it whose model did."""
    states = {"before": ImpactModel.State.RETIRED, "now": ImpactModel.State.CHAMPION}
    for why, state in states.items():
        training = Training.objects.create(why=why, state=Training.State.DONE)
        ImpactModel.objects.create(training=training, target="impact", unit="project", state=state, model_text="{}")
    ImpactModel.objects.filter(state=ImpactModel.State.RETIRED).update(retired_at=timezone.now())
    return training


def rollback(stage: Stage) -> Call:
    return Call("POST", f"{V1}trainings/{two_champions().pk}/rollback/", {})


def derive(stage: Stage) -> Call:
    slug = stage.project(goal_metric="auc", goal_worst=0.5, goal_best=0.9)
    number = stage.ask("POST", f"{V1}experiments/", {"name": stage.name("e"), "project": slug}).json()["id"]
    run = stage.mlflow("runs/create", {"experiment_id": str(number)})["run"]["info"]["run_id"]
    stage.mlflow("runs/log-metric", {"run_id": run, "key": "auc", "value": 0.8, "timestamp": 1})
    stage.mlflow("runs/update", {"run_id": run, "status": "FINISHED"})
    stage.ask("GET", f"{V1}runs/{run}/")
    return Call("POST", f"{V1}projects/{slug}/outcome/derive/", {})


def member(stage: Stage) -> str:
    return f"{V1}projects/{stage.project()}/members/{person(stage)[0]}/"


def usages(stage: Stage) -> Call:
    artifact = stage.artifact()
    stage.version(artifact)
    return Call("PUT", f"{V1}projects/{stage.project()}/usages/", {"usages": [f"{artifact}@1"]})


def existing_member(stage: Stage) -> Call:
    path = member(stage)
    stage.ask("PUT", path, {"title": "lead"})
    return Call("DELETE", path)


def a_view(stage: Stage) -> dict[str, Any]:
    return {"name": stage.name("view"), "state": {"experiments": [int(stage.experiment())]}}


def own_view(stage: Stage, method: str, body: Any) -> Call:
    """A view belongs to who kept it, so the same key asks."""
    client = stage.api(stage.tenant, "viewer")
    made = send(client, Call("POST", f"{V1}views/", a_view(stage)))
    assert made.status_code == 201, made.content
    path = f"{V1}views/{made.json()['id']}/"
    return Call(method, path, body, {"if-match": made["ETag"]} if made.has_header("ETag") else {}, client=client)


def role_of(stage: Stage) -> str:
    return f"{V1}projects/{stage.project()}/roles/{person(stage)[0]}/"


def existing_role(stage: Stage) -> Call:
    path = role_of(stage)
    stage.ask("PUT", path, {"role": "approver"})
    return Call("DELETE", path)


ELSEWHERE = forge_writes.WRITES | gate_writes.WRITES | search_writes.WRITES | trash_writes.WRITES
ELSEWHERE |= webhook_writes.WRITES
WRITES: dict[str, Write] = ELSEWHERE | {
    "POST /api/v1/projects/": Write(
        lambda s: Call("POST", f"{V1}projects/", {"slug": s.name("new")}), ("project.create",)
    ),
    "PUT /api/v1/projects/<str:project>/": Write(
        lambda s: Call("PUT", f"{V1}projects/{s.name('new')}/", {}), ("project.create",)
    ),
    "PATCH /api/v1/projects/<str:project>/": Write(
        lambda s: Call("PATCH", f"{V1}projects/{s.project()}/", {"name": "new"}), ("project.change",)
    ),
    "PUT /api/v1/projects/<str:project>/outcome/": Write(
        lambda s: Call("PUT", f"{V1}projects/{s.project()}/outcome/", {"success": 70}), ("project.outcome",)
    ),
    "POST /api/v1/projects/<str:project>/outcome/derive/": Write(derive, ("project.outcome",)),
    "PUT /api/v1/projects/<str:project>/members/<str:username>/": Write(
        lambda s: Call("PUT", member(s), {"title": "lead"}), ("member.put",)
    ),
    "DELETE /api/v1/projects/<str:project>/members/<str:username>/": Write(existing_member, ("member.delete",)),
    "PUT /api/v1/projects/<str:project>/roles/<str:username>/": Write(
        lambda s: Call("PUT", role_of(s), {"role": "approver"}), ("project_role.grant",), "admin"
    ),
    "DELETE /api/v1/projects/<str:project>/roles/<str:username>/": Write(
        existing_role, ("project_role.withdraw",), "admin"
    ),
    "PUT /api/v1/projects/<str:project>/retention/": Write(
        lambda s: Call("PUT", f"{V1}projects/{s.project()}/retention/", {"trash_days": 40}),
        ("retention.change",),
        "admin",
    ),
    "PUT /api/v1/projects/<str:project>/quota/": Write(
        lambda s: Call("PUT", f"{V1}projects/{s.project()}/quota/", {"quota_bytes": 4_000_000_000}),
        ("project.change",),
        "admin",
    ),
    "PUT /api/v1/retention/": Write(
        lambda s: Call("PUT", f"{V1}retention/", {"trash_days": 40}), ("retention.change",), "admin"
    ),
    "PUT /api/v1/projects/<str:project>/usages/": Write(usages, ("project.usages",)),
    "POST /api/v1/experiments/": Write(
        lambda s: Call("POST", f"{V1}experiments/", {"name": s.name("new")}), ("experiment.create",)
    ),
    "PATCH /api/v1/experiments/<str:experiment>/": Write(
        lambda s: Call("PATCH", f"{V1}experiments/{s.experiment()}/", {"name": s.name("new")}), ("experiment.rename",)
    ),
    "PATCH /api/v1/runs/<str:run>/": Write(
        lambda s: Call("PATCH", f"{V1}runs/{s.run()['run_id']}/", {"name": "new"}), ("run.rename",)
    ),
    "POST /api/v1/runs/bulk/": Write(
        lambda s: Call("POST", f"{V1}runs/bulk/", {"action": "trash", "runs": [s.run()["run_id"]]}),
        ("run.trash",),
    ),
    "POST /api/v1/runs/exports/": Write(
        lambda s: Call("POST", f"{V1}runs/exports/", {"format": "jsonl"}), ("export.ask",), "viewer"
    ),
    "POST /api/v1/runs/move/": Write(
        lambda s: Call("POST", f"{V1}runs/move/", {"runs": [s.run()["run_id"]], "experiment": int(s.experiment())}),
        ("run.move",),
    ),
    "POST /api/v1/views/": Write(lambda s: Call("POST", f"{V1}views/", a_view(s)), ("view.create",), "viewer"),
    "PATCH /api/v1/views/<str:view>/": Write(
        lambda s: own_view(s, "PATCH", {"name": s.name("new")}), ("view.change",), "viewer"
    ),
    "DELETE /api/v1/views/<str:view>/": Write(lambda s: own_view(s, "DELETE", None), ("view.delete",), "viewer"),
    "POST /api/v1/artifacts/": Write(
        lambda s: Call("POST", f"{V1}artifacts/", {"name": s.name("new"), "kind": "model"}, once()),
        ("artifact.create",),
    ),
    "PUT /api/v1/artifacts/<str:artifact>/": Write(
        lambda s: Call("PUT", f"{V1}artifacts/{s.name('new')}/", {"kind": "schema"}), ("artifact.create",)
    ),
    "PATCH /api/v1/artifacts/<str:artifact>/": Write(patch_artifact, ("artifact.change",)),
    "POST /api/v1/artifacts/<str:artifact>/versions/": Write(
        lambda s: Call(
            "POST",
            f"{V1}artifacts/{s.artifact()}/versions/",
            {"files": [{"path": "a.txt", "text": s.name("text")}]},
            once(),
        ),
        ("version.create",),
    ),
    "PUT /api/v1/artifacts/<str:artifact>/versions/<str:version>/": Write(put_version, ("version.create",)),
    "PATCH /api/v1/artifacts/<str:artifact>/versions/<str:version>/": Write(patch_version, ("version.change",)),
    "PUT /api/v1/artifacts/<str:artifact>/aliases/<str:alias>/": Write(put_alias, ("alias.set",)),
    "DELETE /api/v1/artifacts/<str:artifact>/aliases/<str:alias>/": Write(delete_alias, ("alias.delete",)),
    "POST /api/v1/forecasts/": Write(
        lambda s: Call("POST", f"{V1}forecasts/", {"problem_class": "classification"}), ("forecast.ask",), "viewer"
    ),
    "POST /api/v1/experiments/<str:experiment>/importance/": Write(
        lambda s: Call("POST", f"{V1}experiments/{s.experiment()}/importance/", {"metric": "auc"}),
        ("importance.ask",),
        "viewer",
    ),
    "POST /api/v1/trainings/": Write(lambda s: Call("POST", f"{V1}trainings/", {}), ("training.ask",)),
    "POST /api/v1/trainings/<uuid:training>/rollback/": Write(rollback, ("model.roll_back",), "approver"),
    "POST /api/v1/keys/": Write(
        lambda s: Call("POST", f"{V1}keys/", {"name": "new", "role": "viewer"}), ("key.issue",), "admin"
    ),
    "DELETE /api/v1/keys/<str:key>/": Write(lambda s: Call("DELETE", f"{V1}keys/{key(s)}/"), ("key.revoke",), "admin"),
    "POST /api/v1/keys/<str:key>/rotate/": Write(
        lambda s: Call("POST", f"{V1}keys/{key(s)}/rotate/", {}), ("key.issue", "key.rotate"), "admin"
    ),
    "DELETE /api/v1/keys/self/": Write(own_key("DELETE", f"{V1}keys/self/"), ("key.revoke",), "viewer"),
    "POST /api/v1/keys/self/rotate/": Write(
        own_key("POST", f"{V1}keys/self/rotate/"), ("key.issue", "key.rotate"), "viewer"
    ),
    "POST /api/v1/people/<str:username>/close/": Write(
        lambda s: Call("POST", f"{V1}people/{person(s)[0]}/close/", {}), ("person.close",), "admin"
    ),
    "POST /api/v1/publishers/": Write(
        lambda s: Call("POST", f"{V1}publishers/", publisher_fields(s, ec.generate_private_key(ec.SECP256R1()))),
        ("publisher.create",),
        "admin",
    ),
    "DELETE /api/v1/publishers/<uuid:publisher>/": Write(
        lambda s: Call("DELETE", f"{V1}publishers/{publisher(s)['id']}/"), ("publisher.delete",), "admin"
    ),
    "POST /api/v1/artifacts/<str:artifact>/versions/<str:version>/signatures/": Write(sign_version, ("version.sign",)),
    "POST /api/v1/signing-keys/": Write(
        lambda s: Call("POST", f"{V1}signing-keys/", signing_key_fields(new_key())), ("signing_key.trust",), "admin"
    ),
    "DELETE /api/v1/signing-keys/<uuid:signing_key>/": Write(end_signing_key, ("signing_key.end",), "admin"),
    "POST /api/v1/auth/exchange/": Write(exchange, ("job.admit",), "", "job:"),
    "POST /api/v1/auth/token/": Write(sign_in, ("person.password", "person.token"), "", "person:"),
    "POST /api/v1/auth/token/revoke/": Write(with_refresh("auth/token/revoke/"), ("person.sign_out",), "", "person:"),
}
EXEMPT: dict[str, str] = {
    "POST /api/v1/webhooks/<uuid:webhook>/test/": "changes nothing here; that it was sent is recorded",
    "POST /hooks/<str:hook>/": "what a forge tells, kept as it came and listed in the connection's own log",
    "POST /api/v1/projects/<str:project>/commits/": "what a CI job tells of commits, as runs are told; the connection that it makes is recorded",
    "PUT /api/v1/blobs/<str:sha256>/": "bytes that nothing names yet; the version or the file that names them is recorded",
    "POST /api/v1/uploads/": "bytes on their way, which nothing names yet",
    "DELETE /api/v1/uploads/<uuid:upload>/": "bytes that nothing ever named",
    "POST /api/v1/uploads/<uuid:upload>/parts/": "notes the digests of parts that nothing names yet",
    "POST /api/v1/uploads/<uuid:upload>/commit/": "bytes that nothing names yet; the version that names them is recorded",
    "PUT /api/v1/uploads/parts/<str:word>/": "a part of bytes that nothing names yet",
    "POST /api/v1/auth/token/refresh/": "goes on with a sign-in that was recorded; reuse, which ends it, is recorded",
}
READS: dict[str, str] = {"POST /api/v1/blobs/missing/": "asks"}
