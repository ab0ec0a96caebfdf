"""One of everything in a project, made through the doors, and ids of the same shapes that nobody has."""

import json
import uuid
from hashlib import sha256
from typing import Any

from django.test import Client
from django.utils import timezone

from apps.tracking.models import Notice, Telling, Webhook
from tests.factories.forges import connect

NUMBERED = (
    *("view", "publisher", "export", "upload", "gate", "promotion", "connection", "delivery", "incident"),
    *("webhook", "telling", "trashed", "trashed_version", "importance"),
)
BYTES = "application/octet-stream"
MLFLOW = "/api/2.0/mlflow/"
Ids = dict[str, str]


class Maker:
    """Makes one of everything in a project."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def send(self, method: str, path: str, body: Any) -> Any:
        headers = {"idempotency-key": uuid.uuid4().hex, "if-match": "*"}
        answer = self.client.generic(method, path, json.dumps(body), content_type="application/json", headers=headers)
        assert answer.status_code < 300, (method, path, answer.content)
        return answer.json()

    def mlflow(self, path: str, body: Any, method: str = "POST") -> Any:
        return self.send(method, MLFLOW + path, body)

    def everything(self, slug: str, mark: str) -> Ids:
        tag = {"key": "k", "value": mark}
        number = self.mlflow("experiments/create", {"name": f"exp {mark}"})["experiment_id"]
        gone = self.mlflow("experiments/create", {"name": f"gone {mark}"})["experiment_id"]
        self.mlflow("experiments/delete", {"experiment_id": gone})
        self.mlflow("experiments/set-experiment-tag", tag | {"experiment_id": number})
        run = self.mlflow("runs/create", {"experiment_id": number, "run_name": mark})["run"]["info"]
        self.mlflow("runs/log-metric", {"run_id": run["run_id"], "key": "m", "value": 1, "timestamp": 1})
        self.mlflow("runs/set-tag", {"run_id": run["run_id"], "key": "note", "value": mark})
        folder = run["artifact_uri"].removeprefix("mlflow-artifacts:/").lstrip("/")
        put = self.client.put(f"/api/2.0/mlflow-artifacts/artifacts/{folder}/a.txt", mark.encode(), content_type=BYTES)
        assert put.status_code == 200
        ids = {"project": slug, "experiment": number, "experiment_name": f"exp {mark}", "trashed_experiment": gone}
        ids |= {"run": run["run_id"], "folder": folder, "path": f"{folder}/a.txt", "uri": run["artifact_uri"]}
        ids["blob"] = sha256(mark.encode()).hexdigest()
        return ids | self.registered(ids, mark) | self.traced(ids, mark) | self.kept(ids, mark)

    def registered(self, ids: Ids, mark: str) -> Ids:
        name, tag = f"model-{mark}", {"key": "k", "value": mark}
        self.mlflow("registered-models/create", {"name": name, "tags": [tag]})
        self.mlflow("model-versions/create", {"name": name, "source": ids["uri"], "run_id": ids["run"], "tags": [tag]})
        self.mlflow("registered-models/alias", {"name": name, "alias": "champion", "version": "1"})
        body = {"experiment_id": ids["experiment"], "name": f"logged-{mark}", "tags": [tag]}
        model = self.mlflow("logged-models", body)["model"]["info"]["model_id"]
        version = self.client.get(f"/api/v1/artifacts/{name}/versions/1/").json()["digest"]
        found = {"artifact": name, "version": version, "model": model} | self.thrown_away(ids, mark)
        return found | self.guarded(ids["project"], name, mark)

    def thrown_away(self, ids: Ids, mark: str) -> Ids:
        """An artifact in the trash, and a version in it of an artifact that is not."""
        for name in (f"gone-{mark}", f"half-{mark}"):
            self.mlflow("registered-models/create", {"name": name})
            self.mlflow("model-versions/create", {"name": name, "source": ids["uri"], "run_id": ids["run"]})
        path = "/api/v1/artifacts/"
        version = self.send("DELETE", f"{path}half-{mark}/versions/1/", None)["id"]
        return {"trashed": self.send("DELETE", f"{path}gone-{mark}/", None)["id"], "trashed_version": version}

    def guarded(self, project: str, name: str, mark: str) -> Ids:
        """A gate of the project, and a promotion that waits before it."""
        gate = {"name": f"gate {mark}", "project": project, "aliases": ["guarded"], "approvals": 1}
        made = self.send("POST", "/api/v1/gates/", gate)["id"]
        asked = {"version": "1", "alias": "guarded", "why": mark}
        waits = self.send("POST", f"/api/v1/artifacts/{name}/promotions/", asked)["id"]
        return {"gate": made, "promotion": waits}

    def traced(self, ids: Ids, mark: str) -> Ids:
        home = {"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": ids["experiment"]}}
        info = {"trace_id": f"tr-{mark}", "trace_location": home, "request_time": "2026-01-31T09:00:00Z"}
        path = "/api/3.0/mlflow/traces"
        self.send("POST", path, {"trace": {"trace_info": info | {"tags": {"k": mark}, "request_preview": mark}}})
        spans = {"spans": [{"span_id": "a", "name": mark, "start_time_unix_nano": 1, "end_time_unix_nano": 2}]}
        place = f"/api/2.0/mlflow-artifacts/artifacts/{ids['experiment']}/traces/tr-{mark}/artifacts/traces.json"
        assert self.client.put(place, json.dumps(spans).encode(), content_type=BYTES).status_code == 200
        judged = {"assessment_name": "good", "feedback": {"value": True}, "source": {"source_type": "HUMAN"}}
        made = self.send("POST", f"{path}/tr-{mark}/assessments", {"assessment": judged})["assessment"]
        return {"trace": f"tr-{mark}", "assessment": made["assessment_id"]}

    def kept(self, ids: Ids, mark: str) -> Ids:
        path = "/api/3.0/mlflow/datasets"
        fields = {"name": f"asked {mark}", "experiment_ids": [ids["experiment"]], "tags": json.dumps({"k": mark})}
        dataset = self.send("POST", f"{path}/create", fields)["dataset"]["dataset_id"]
        self.send("POST", f"{path}/{dataset}/records", {"records": json.dumps([{"inputs": {"q": mark}}])})
        (record,) = json.loads(self.client.get(f"{path}/{dataset}/records").json()["records"])
        view = {"name": f"view {mark}", "state": {"experiments": [int(ids["experiment"])]}, "is_shared": True}
        key = {"name": f"key {mark}", "role": "viewer", "project": ids["project"]}
        claims = {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"}
        for address, facts in (("outcome", {"success": 5}), ("members/outsider", {"title": mark})):
            self.send("PUT", f"/api/v1/projects/{ids['project']}/{address}/", facts)
        job = {"name": f"job {mark}", "kind": "github", "claims": claims, "project": ids["project"]}
        v1 = "/api/v1/"
        return {
            "dataset": dataset,
            "record": record["dataset_record_id"],
            "view": str(self.send("POST", f"{v1}views/", view)["id"]),
            "key": self.send("POST", f"{v1}keys/", key)["id"],
            "publisher": self.send("POST", f"{v1}publishers/", job)["id"],
            "upload": self.send("POST", f"{v1}uploads/", {"sha256": sha256(v1.encode()).hexdigest(), "size_bytes": 9})[
                "id"
            ],
            **self.delivered(ids["project"], mark),
            **self.told(ids["project"], mark),
            "export": self.send("POST", f"{v1}runs/exports/", {"format": "jsonl"})["id"],
            "importance": self.send("POST", f"{v1}experiments/{ids['experiment']}/importance/", {"metric": "made"})[
                "id"
            ],
        }

    def told(self, project: str, mark: str) -> Ids:
        """A webhook that was told something."""
        fields = {"name": f"hook {mark}", "url": f"https://receiver.invalid/{mark}", "events": ["run.lost"]}
        made = self.send("POST", "/api/v1/webhooks/", fields | {"project": project})["id"]
        row, at = Webhook.objects.get(pk=made), timezone.now()
        notice = Notice.objects.create(event="run.lost", project_id=row.project_id, at=at, is_spread=True)
        kept = {"next_at": at, "created_at": at, "state": "failed"}
        return {"webhook": made, "telling": str(Telling.objects.create(webhook=row, notice=notice, **kept).pk)}

    def delivered(self, project: str, mark: str) -> Ids:
        """A connection to a forge that has delivered something."""
        forge = connect(self.client, project, host=str(self.client.defaults["HTTP_HOST"]))
        assert forge.send("push", {"ref": mark}).status_code == 202
        (row,) = self.client.get("/api/v1/connections/").json()["results"]
        (delivery,) = self.client.get(f"/api/v1/connections/{row['id']}/deliveries/").json()["results"]
        incident = self.send("POST", "/api/v1/incidents/", {"project": project, "title": mark})["id"]
        return {"connection": row["id"], "delivery": delivery["id"], "incident": incident}


def never(theirs: Ids) -> Ids:
    """Ids of the same shapes, which nobody has."""
    number, run = str(int(theirs["experiment"]) + 90_000), uuid.uuid4().hex
    folder = f"{number}/{run}/artifacts"
    made = {"experiment": number, "trashed_experiment": str(int(number) + 1), "experiment_name": "exp never"}
    made |= {"run": run, "folder": folder, "path": f"{folder}/a.txt", "uri": f"mlflow-artifacts:/{folder}"}
    made |= {"project": "proj-never", "artifact": "model-never", "trace": "tr-never", "assessment": "a-never"}
    made |= {name: sha256(name.encode()).hexdigest() for name in ("blob", "version")}
    made |= {name: theirs[name][:2] + uuid.uuid4().hex for name in ("model", "dataset")}
    made |= {"record": theirs["record"][:-8] + "00000000", "key": theirs["key"][:-4] + "zzzz"}
    return made | {name: str(uuid.uuid4()) for name in NUMBERED}
