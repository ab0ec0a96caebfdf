"""Every writing route of the REST door, with the change that it makes and the events that this must leave."""

import uuid
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import Group, User
from django.test import Client
from django.utils import timezone
from jwt.algorithms import ECAlgorithm

from apps.recommendations.models import ImpactModel, Training
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


def nobody(stage: Stage) -> Client:
    return Client(headers={"host": f"{stage.tenant.slug}.localhost"})


def sign_in(stage: Stage) -> Call:
    username, password = person(stage)
    return Call("POST", f"{V1}auth/token/", {"username": username, "password": password}, client=nobody(stage))


def pair(stage: Stage) -> dict[str, str]:
    username, password = person(stage)
    pair: dict[str, str] = stage.ask("POST", f"{V1}auth/token/", {"username": username, "password": password}).json()
    return pair


def with_refresh(path: str) -> Any:
    return lambda stage: Call("POST", V1 + path, {"refresh": pair(stage)["refresh"]}, client=nobody(stage))


def publisher_fields(stage: Stage, signer: Any) -> dict[str, Any]:
    """A publisher whose keys are stored with it, so that nothing is fetched."""
    rows = [ECAlgorithm.to_jwk(signer.public_key(), as_dict=True) | {"kid": "one", "use": "sig", "alg": "ES256"}]
    claims = {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"}
    return {
        "name": stage.name("publisher"),
        "kind": "github",
        "issuer": f"https://{stage.name('issuer')}.example",
        "jwks": {"keys": rows},
        "claims": claims,
        "project": stage.project(),
    }


def publisher(stage: Stage, signer: Any = None) -> dict[str, Any]:
    fields = publisher_fields(stage, signer or ec.generate_private_key(ec.SECP256R1()))
    made: dict[str, Any] = stage.ask("POST", f"{V1}publishers/", fields).json()
    return made


def exchange(stage: Stage) -> Call:
    signer = ec.generate_private_key(ec.SECP256R1())
    made, now = publisher(stage, signer), timezone.now()
    claims = {
        "iss": made["issuer"],
        "aud": made["audience"],
        "sub": "repo:acme/churn:ref:refs/heads/main",
        "repository": "acme/churn",
        "repository_id": "4711",
        "repository_owner_id": "12",
        "ref": "refs/heads/main",
        "event_name": "push",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "jti": uuid.uuid4().hex,
    }
    token = jwt.encode(claims, signer, algorithm="ES256", headers={"kid": "one"})
    return Call("POST", f"{V1}auth/exchange/", {"token": token}, client=nobody(stage))


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


WRITES: dict[str, Write] = {
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
    "POST /api/v1/auth/exchange/": Write(exchange, ("job.admit",), "", "job:"),
    "POST /api/v1/auth/token/": Write(sign_in, ("person.password", "person.token"), "", "person:"),
    "POST /api/v1/auth/token/revoke/": Write(with_refresh("auth/token/revoke/"), ("person.sign_out",), "", "person:"),
}
EXEMPT: dict[str, str] = {
    "PUT /api/v1/blobs/<str:sha256>/": "bytes that nothing names yet; the version or the file that names them is recorded",
    "POST /api/v1/auth/token/refresh/": "goes on with a sign-in that was recorded; reuse, which ends it, is recorded",
}
READS: dict[str, str] = {}
