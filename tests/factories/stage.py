"""What a write needs to be there before it: made through the doors themselves, as an admin's key."""

import hashlib
import itertools
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.test import Client

from apps.tenants.models import Tenant

MLFLOW = "/api/2.0/mlflow/"
V1 = "/api/v1/"
REQUEST_ID = "the-request-that-is-audited"
names = itertools.count(1)


@dataclass(frozen=True)
class Call:
    """One request. Without a client it is made by a key of the role that its case names."""

    method: str
    path: str
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    client: Client | None = None


@dataclass(frozen=True)
class Write:
    """A route that changes something: how it is called, and the actions it must write down, in order."""

    prepare: Callable[["Stage"], Call]
    actions: tuple[str, ...]
    role: str = "contributor"
    actor: str = ""


def send(client: Client, call: Call) -> Any:
    """Make a request and read all of its answer."""
    body = call.body if isinstance(call.body, bytes) else orjson.dumps(call.body) if call.body is not None else b""
    form = call.content_type == "form"
    kind = "application/x-www-form-urlencoded" if form else call.content_type
    headers = {"x-request-id": REQUEST_ID} | call.headers
    answer = client.generic(call.method, call.path, body, content_type=kind, headers=headers)
    _ = b"".join(answer) if answer.streaming else answer.content
    return answer


class Stage:
    """Makes things to be changed, each with a new name."""

    def __init__(self, tenant: Tenant, api: Callable[..., Client]) -> None:
        self.tenant, self.api = tenant, api
        self.admin = api(tenant, "admin")

    def name(self, kind: str) -> str:
        return f"{kind}-{next(names)}"

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Make a request that has to work."""
        answer = send(self.admin, Call(method, path, body, headers))
        assert answer.status_code < 300, answer.content
        return answer

    def mlflow(self, path: str, body: Any) -> Any:
        return self.ask("POST", MLFLOW + path, body).json()

    def project(self, **facts: Any) -> str:
        slug = self.name("project")
        self.ask("POST", f"{V1}projects/", {"slug": slug} | facts)
        return slug

    def experiment(self) -> str:
        return self.mlflow("experiments/create", {"name": self.name("experiment")})["experiment_id"]

    def run(self) -> dict[str, Any]:
        """A run, as MLflow's info of it."""
        return self.mlflow("runs/create", {"experiment_id": self.experiment(), "start_time": 1})["run"]["info"]

    def artifact(self, kind: str = "model") -> str:
        name = self.name("artifact")
        self.ask("PUT", f"{V1}artifacts/{name}/", {"kind": kind})
        return name

    def version(self, artifact: str) -> str:
        """The next version of an artifact, by its number."""
        body = {"files": [{"path": "a.txt", "text": self.name("text")}]}
        made = self.ask("POST", f"{V1}artifacts/{artifact}/versions/", body, **{"idempotency-key": uuid.uuid4().hex})
        return str(made.json()["version"])

    def alias(self, artifact: str, name: str = "champion") -> str:
        path = f"{V1}artifacts/{artifact}/aliases/{name}/"
        self.ask("PUT", path, {"version": self.version(artifact)})
        return path

    def logged_model(self) -> str:
        body = {"experiment_id": self.experiment(), "name": self.name("model")}
        return self.mlflow("logged-models", body)["model"]["info"]["model_id"]

    def file_of_a_run(self) -> str:
        """The address of a file that a run has."""
        place = self.run()["artifact_uri"].partition(":/")[2].lstrip("/")
        path = f"/api/2.0/mlflow-artifacts/artifacts/{place}/a.txt"
        answer = send(self.admin, Call("PUT", path, b"bytes", content_type="application/octet-stream"))
        assert answer.status_code == 200, answer.content
        return path

    def etag(self, path: str) -> dict[str, str]:
        return {"if-match": self.ask("GET", path)["ETag"]}


def digest_of(text: str, path: str = "a.txt") -> str:
    """The digest of a version that holds one text."""
    line = f"{hashlib.sha256(text.encode()).hexdigest()}  {path}\n"
    return hashlib.sha256(line.encode()).hexdigest()
