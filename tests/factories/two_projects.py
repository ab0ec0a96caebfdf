"""Two projects in one tenant, A and B, with one of everything in B, and those who stand in A only."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import connection
from django.test import Client
from django.utils import timezone
from psycopg import sql

from apps.tenants.access.keys import tokens
from apps.tenants.access.models import ProjectRole
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config.routes import Route, all_routes

MARK = "zq7secret"
MLFLOW = "/api/2.0/mlflow/"
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
TABLES = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
  AND (relname LIKE 'tracking_%' OR relname LIKE 'registry_%') AND relname <> 'tracking_blob' ORDER BY 1"""
DIGEST = "SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM {} t"


@dataclass(frozen=True)
class Things:
    """The ids of B's things, by the names that routes and bodies give them; and the two projects."""

    ids: Mapping[str, str]
    mine: Project
    theirs: Project


def post(client: Client, path: str, body: dict[str, Any], **headers: str) -> Any:
    """Send JSON; the answer's JSON comes back."""
    answer = client.post(path, body, content_type="application/json", headers=headers)
    assert answer.status_code in {200, 201}, (path, answer.content)
    return answer.json()


def furnish(api: Callable[..., Client], tenant: Tenant) -> Things:
    """Make both projects, and in B a run with a file, a registered model with a version, a key and an experiment."""
    mine = Project.objects.create(slug="proj-a", name="Ours")
    theirs = Project.objects.create(slug="proj-b", name=f"B {MARK}")
    inside = api(tenant, "admin", project_id=theirs.pk)
    experiment = post(inside, f"{MLFLOW}experiments/create", {"name": f"exp {MARK}"})["experiment_id"]
    run = post(inside, f"{MLFLOW}runs/create", {"experiment_id": experiment, "run_name": f"run {MARK}"})["run"]["info"]
    post(inside, f"{MLFLOW}runs/log-metric", {"run_id": run["run_id"], "key": MARK, "value": 1.5, "timestamp": 1})
    post(inside, f"{MLFLOW}runs/set-tag", {"run_id": run["run_id"], "key": "note", "value": MARK})
    uri = run["artifact_uri"].removeprefix("mlflow-artifacts:/").lstrip("/")
    path = f"/api/2.0/mlflow-artifacts/artifacts/{uri}/a.txt"
    assert inside.put(path, MARK.encode(), content_type="application/octet-stream").status_code == 200
    post(inside, f"{MLFLOW}registered-models/create", {"name": f"model-{MARK}"})
    version = {"name": f"model-{MARK}", "source": run["artifact_uri"], "run_id": run["run_id"]}
    post(inside, f"{MLFLOW}model-versions/create", version)
    logged = post(inside, f"{MLFLOW}logged-models", {"experiment_id": experiment, "name": f"logged-{MARK}"})
    trace = record_trace(inside, experiment, run["run_id"])
    key = post(inside, "/api/v1/keys/", {"name": f"key {MARK}", "role": "viewer", "project": "proj-b"})
    ids = {
        "project": "proj-b",
        "experiment": experiment,
        "experiment_id": experiment,
        "run": run["run_id"],
        "run_id": run["run_id"],
        "artifact": f"model-{MARK}",
        "name": f"model-{MARK}",
        "version": "1",
        "alias": "champion",
        "model_id": logged["model"]["info"]["model_id"],
        "key": key["id"],
        "trace_id": trace,
        "path": f"{uri}/a.txt",
        "username": "outsider",
    }
    return Things(ids, mine, theirs)


def record_trace(client: Client, experiment: str, run: str) -> str:
    """A trace of B's run with a span, which say B's word wherever a page might show it."""
    home = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": experiment}}
    info = {
        "trace_id": "tr-of-b",
        "trace_location": home,
        "request_time": "2026-01-31T09:00:00Z",
        "execution_duration": "1s",
        "state": "OK",
        "request_preview": MARK,
        "tags": {"mlflow.traceName": MARK},
        "trace_metadata": {"mlflow.sourceRun": run},
    }
    post(client, "/api/3.0/mlflow/traces", {"trace": {"trace_info": info}})
    spans = json.dumps({"spans": [{"span_id": "a", "name": MARK, "start_time_unix_nano": 1, "end_time_unix_nano": 2}]})
    path = f"/api/2.0/mlflow-artifacts/artifacts/{experiment}/traces/tr-of-b/artifacts/traces.json"
    assert client.put(path, spans.encode(), content_type="application/octet-stream").status_code == 200
    return "tr-of-b"


def person_in(roles: Mapping[Project, str], tenant_role: str = "", name: str = "outsider") -> User:
    """Make somebody with roles in projects and perhaps one in the tenant."""
    person = User.objects.create_user(name, password="a long password", is_staff=True)
    if tenant_role:
        person.groups.add(Group.objects.get(name=tenant_role))
    for project, role in roles.items():
        ProjectRole.objects.create(user=person, project_id=project.pk, role=role)
    return person


def speaking_as(tenant: Tenant, person: User) -> Client:
    """A client that holds a person's token."""
    token = tokens.issue(person, timezone.now()).access
    return Client(headers={"host": f"{tenant.slug}.localhost", "authorization": f"Bearer {token}"})


def guarded_routes() -> Iterator[tuple[str, Route]]:
    """List (method, route) of every route of the APIs that demands a role."""
    for route in {r.pattern: r for r in all_routes() if r.declared and not r.guarded_by_admin}.values():
        declared = route.view.required_role
        for method in METHODS:
            if hasattr(route.view, method.lower()) and declared is not None:
                yield method, route


def filled(pattern: str, things: Things) -> str:
    """Write a route's address with B's ids."""
    uuid = str(things.theirs.pk)

    def value(match: re.Match[str]) -> str:
        return things.ids.get(match["name"], uuid if match["kind"] == "uuid" else "nothing-here")

    return "/" + re.sub(r"<(?:(?P<kind>\w+):)?(?P<name>\w+)>", value, pattern)


def body_for(things: Things) -> dict[str, Any]:
    """A body of an MLflow call that names B's things in every way a call might."""
    ids = things.ids
    return {
        "run_id": ids["run"],
        "run_ids": [ids["run"]],
        "experiment_id": ids["experiment"],
        "experiment_ids": [ids["experiment"]],
        "name": ids["name"],
        "new_name": "taken over",
        "version": "1",
        "alias": "champion",
        "key": "note",
        "metric_key": MARK,
        "value": "9",
        "timestamp": 2,
        "status": "KILLED",
        "stage": "Archived",
        "source": f"mlflow-artifacts:/{ids['path'].rpartition('/')[0]}",
        "tags": [{"key": "maestro.project", "value": "proj-b"}],
        "params": [{"key": "p", "value": "1"}],
        "metrics": [{"key": "m", "value": 1, "timestamp": 1, "step": 0}],
        "path": ids["path"],
    }


def knock(client: Client, method: str, route: Route, things: Things) -> Any:
    """Try one route with B's ids."""
    address, body = filled(route.pattern, things), body_for(things)
    headers = {"if-match": "*", "idempotency-key": f"{method}{route.pattern}"[:200]}
    if method == "GET":
        return client.get(address, {k: v for k, v in body.items() if not isinstance(v, list)}, headers=headers)
    sent = json.dumps(body) if "mlflow" in route.pattern else json.dumps({"name": "taken over", "project": "proj-b"})
    return client.generic(method, address, sent, content_type="application/json", headers=headers)


def contents() -> dict[str, str]:
    """Digest every table of the rooms above, so that any change shows."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES)
        names = [name for (name,) in cursor.fetchall()]
        found = {}
        for name in names:
            cursor.execute(sql.SQL(DIGEST).format(sql.Identifier(name)))
            found[name] = cursor.fetchone()[0]
    return found


def text_of(answer: Any) -> str:
    """An answer's whole body as text."""
    body = b"".join(answer) if getattr(answer, "streaming", False) else answer.content
    return str(body.decode(errors="replace"))
