"""Load the measured history into a tenant through Maestro's public API. Standard library only.

    python bench/history/load_history.py --url http://localhost:8000 --token KEY --progress

A second call changes nothing; after an interruption it goes on where it stopped. Exit codes: 0 loaded,
1 the server refused, 2 wrong usage or file, 3 the key may not, 7 the server is not there, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from api_client import RETRIED, TRIES, Api, Json, LostError, StoppedError, in_threads, needed
from measured import History, facts_of, read_history, usages_of

HERE = Path(__file__).resolve().parent
MLFLOW = "/api/2.0/mlflow"
REST = "/api/v1"
SUCCESS_RULE = (
    "100 x the best run's skill over a guess that ignores the features, kept within 0 and 100; "
    "cost is CPU seconds; see bench/history/README.md"
)


@dataclass
class Progress:
    """Lines for a person: what is loaded, how much, since when."""

    total: int
    shown: bool
    began: float = field(default_factory=time.monotonic)
    done: int = 0
    said: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def say(self, text: str) -> None:
        """Tell how far it is, with the seconds since the beginning."""
        if self.shown:
            print(f"{text} ({time.monotonic() - self.began:.0f} s)", flush=True)

    def add(self, count: int) -> None:
        """Count runs; say so at most once a second."""
        with self.lock:
            self.done += count
            if time.monotonic() - self.said >= 1 or self.done == self.total:
                self.said = time.monotonic()
                self.say(f"runs {self.done} of {self.total}")


@dataclass(frozen=True)
class Loader:
    """Loads one history: artifacts, then projects, then each project's runs, then its outcome."""

    api: Api
    history: History
    progress: Progress
    threads: int

    def load(self) -> str:
        """Do what is missing. Returns a sentence for people."""
        made = self.load_artifacts()
        self.progress.say(f"{made} new versions of {len(self.history.head['artifacts'])} artifacts")
        known, ended = self.load_projects()
        experiments = self.load_experiments()
        stored = self.stored_runs(list(experiments.values()))
        self.progress.say(f"projects: {len(self.history.projects)}, of which {known} were there")
        jobs = [
            (self.load_project, project, experiments[project["project"]], stored)
            for project in self.history.projects
            if not self.is_whole(project, ended, stored)
        ]
        in_threads(jobs, self.threads)
        seconds = time.monotonic() - self.progress.began
        return f"{len(self.history.projects)} projects and {self.history.n_runs} runs in {seconds:.1f} s"

    # -- artifacts: REST ---------------------------------------------------------------------------

    def load_artifacts(self) -> int:
        """Make missing artifacts and versions, numbers in order. Returns how many versions are new."""
        known = {one["name"]: one["latest_version"] or 0 for one in self.api.pages(f"{REST}/artifacts/")}
        made = 0
        for artifact in self.history.head["artifacts"]:
            path = f"{REST}/artifacts/{artifact['name']}/"
            if artifact["name"] not in known:
                self.api.need("PUT", path, {"kind": artifact["kind"], "description": artifact["about"]})
            for number, settings in enumerate(artifact["versions"], start=1):
                if number > known.get(artifact["name"], 0):
                    text = json.dumps({"artifact": artifact["name"], "settings": settings}, indent=2)
                    body = {"files": [{"path": "settings.json", "text": text}], "description": artifact["about"]}
                    key = f"history-{artifact['name']}-{number}"
                    self.api.need("POST", f"{path}versions/", body, **{"Idempotency-Key": key})
                    made += 1
        return made

    # -- projects: REST ----------------------------------------------------------------------------

    def load_projects(self) -> tuple[int, set[str]]:
        """Make the projects that are missing. Returns how many were there, and which have an outcome."""
        known = {project["slug"]: project["outcome"] for project in self.api.pages(f"{REST}/projects/")}
        missing = [project for project in self.history.projects if project["project"] not in known]
        in_threads([(self.make_project, project) for project in missing], self.threads)
        return len(self.history.projects) - len(missing), {slug for slug, outcome in known.items() if outcome}

    def is_whole(self, project: Json, ended: set[str], stored: dict[str, tuple[str, str]]) -> bool:
        """The outcome is set last, so a project that has one lacks nothing but runs that were cut short since."""
        names = (f"{project['project']}/{run['name']}" for run in project["runs"])
        whole = project["project"] in ended and all(stored.get(name, "")[1:] == ("FINISHED",) for name in names)
        self.progress.add(len(project["runs"]) if whole else 0)
        return whole

    def make_project(self, project: Json) -> None:
        """Make the project, or change it to what the history says."""
        self.api.need("PUT", f"{REST}/projects/{project['project']}/", facts_of(project))

    def set_outcome(self, project: Json) -> None:
        """What the runs came to, by the rule that the README states."""
        outcome = project["outcome"]
        body = {
            "success": outcome["success"],
            "model_performance": outcome["model_performance"],
            "actual_duration_days": outcome["duration_seconds"] / 86_400,
            "actual_cost": outcome["cost_cpu_seconds"],
            "source": "derived",
            "rule": SUCCESS_RULE,
        }
        self.api.need("PUT", f"{REST}/projects/{project['project']}/outcome/", body)

    # -- experiments and runs: the MLflow protocol -------------------------------------------------

    def load_experiments(self) -> dict[str, str]:
        """One experiment a project; returns experiment ids by project."""
        wanted = {project["project"] for project in self.history.projects}
        found: dict[str, str] = {}
        token: str | None = ""
        while token is not None:
            body = {"max_results": 1000, "view_type": "ACTIVE_ONLY"} | ({"page_token": token} if token else {})
            answer = self.api.need("POST", f"{MLFLOW}/experiments/search", body)
            found |= {one["name"]: one["experiment_id"] for one in answer.get("experiments", [])}
            token = answer.get("next_page_token") or None
        for name in sorted(wanted - found.keys()):
            tags = [{"key": "maestro.project", "value": name}]
            answer = self.api.need("POST", f"{MLFLOW}/experiments/create", {"name": name, "tags": tags})
            found[name] = answer["experiment_id"]
        return {name: found[name] for name in wanted}

    def stored_runs(self, experiment_ids: list[str]) -> dict[str, tuple[str, str]]:
        """Run id and status of every run of this history that the server has, by its history.run tag."""
        found: dict[str, tuple[str, str]] = {}
        for place in range(0, len(experiment_ids), 100):
            some = experiment_ids[place : place + 100]
            token: str | None = ""
            while token is not None:
                body = {"experiment_ids": some, "max_results": 1000} | ({"page_token": token} if token else {})
                answer = self.api.need("POST", f"{MLFLOW}/runs/search", body)
                for run in answer.get("runs", []):
                    tags = {tag["key"]: tag["value"] for tag in run["data"].get("tags", [])}
                    if "history.run" in tags:
                        found[tags["history.run"]] = (run["info"]["run_id"], run["info"]["status"])
                token = answer.get("next_page_token") or None
        return found

    def load_project(self, project: Json, experiment_id: str, stored: dict[str, tuple[str, str]]) -> None:
        """The runs that are missing or were cut short, then what they used, then the outcome."""
        usages: list[Json] = []
        for run in project["runs"]:
            name = f"{project['project']}/{run['name']}"
            run_id, status = stored.get(name, ("", ""))
            if status != "FINISHED":
                run_id = run_id or self.create_run(project, run, experiment_id, name)
                self.load_run(run, run_id)
            usages += usages_of(run, run_id)
            self.progress.add(1)
        # The server reads the tag maestro.uses as well, but on its own schedule; said here it counts at once.
        self.api.need("PUT", f"{REST}/projects/{project['project']}/usages/", {"usages": usages})
        self.set_outcome(project)

    def create_run(self, project: Json, run: Json, experiment_id: str, name: str) -> str:
        """Open the run with its tags; a lost answer is looked up before the run is opened again."""
        tags = {
            "maestro.project": project["project"],
            "maestro.uses": run["uses"],
            "history.run": name,
            "mlflow.source.name": "bench/history/make_history.py",
        }
        body = {
            "experiment_id": experiment_id,
            "run_name": run["name"],
            "start_time": run["started_ms"],
            "tags": [{"key": key, "value": value} for key, value in tags.items() if value],
        }
        for _ in range(TRIES):
            try:
                status, answer = self.api.once("POST", f"{MLFLOW}/runs/create", body, {})
            except LostError:
                run_id, _ = self.stored_runs([experiment_id]).get(name, ("", ""))
                if run_id:
                    return run_id
                continue
            if status not in RETRIED:
                return str(needed("runs/create", status, answer)["run"]["info"]["run_id"])
            time.sleep(0.5)
        raise StoppedError("the server does not open runs: it is busy or gone", 7)

    def load_run(self, run: Json, run_id: str) -> None:
        """Params, metrics and curve in one batch, then the end. Asking twice leaves the same rows."""
        at = run["ended_ms"]
        metrics = [{"key": key, "value": value, "timestamp": at, "step": 0} for key, value in run["metrics"].items()]
        for step, value in run.get("curve", {}).get("points", []):
            metrics.append({"key": run["curve"]["metric"], "value": value, "timestamp": at, "step": step})
        params = [{"key": key, "value": value} for key, value in run["params"].items()]
        self.api.need("POST", f"{MLFLOW}/runs/log-batch", {"run_id": run_id, "metrics": metrics, "params": params})
        self.api.need("POST", f"{MLFLOW}/runs/update", {"run_id": run_id, "status": "FINISHED", "end_time": at})


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default=os.environ.get("MAESTRO_URL"), help="or MAESTRO_URL")
    parser.add_argument(
        "--token", default=os.environ.get("MAESTRO_TOKEN"), help="or MAESTRO_TOKEN, which no `ps` shows"
    )
    parser.add_argument("--file", type=Path, default=HERE / "history.jsonl.gz")
    parser.add_argument("--limit", type=int, help="only the first N projects")
    parser.add_argument("--threads", type=int, default=4, help="requests at a time (default 4)")
    parser.add_argument("--progress", action="store_true", help="say how far it is")
    given = parser.parse_args()
    if not given.url or not given.token:
        parser.error("give --url and --token, or set MAESTRO_URL and MAESTRO_TOKEN")
    return given


def main() -> int:
    """Load a history; returns the exit code."""
    given = arguments()
    try:
        history = read_history(given.file, given.limit)
        progress = Progress(history.n_runs, given.progress)
        print(Loader(Api(given.url, given.token), history, progress, given.threads).load())
    except StoppedError as stopped:
        print(f"load_history: {stopped}", file=sys.stderr)
        return stopped.code
    except KeyboardInterrupt:
        print("load_history: interrupted; call it again to go on", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
