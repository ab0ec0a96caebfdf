"""A tour of Maestro with the stock mlflow client: train LightGBM, register the model, ask for advice.

    make demo                         # in another terminal; it writes .maestro/demo.env
    .venv/bin/python docs/tour.py     # after `make install-dev`, or with any Python that has
                                      # pip install mlflow-skinny pandas lightgbm scikit-learn

It reads MAESTRO_URL and MAESTRO_TOKEN from the environment, else from .maestro/demo.env. It can be repeated.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import lightgbm
import mlflow
import mlflow.lightgbm
import numpy as np
from mlflow import MlflowClient
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split

PROJECT = "tour-breast-cancer"
MODEL = "tour-breast-cancer-classifier"
USES = "template-lightgbm@1, scale-standard@1"
PARAMS = {"objective": "binary", "num_leaves": 15, "learning_rate": 0.08, "num_threads": 1, "verbosity": -1}
ROUNDS = 80
WAIT_SECONDS = 180


class Maestro:
    """The few REST calls of the tour, with the standard library."""

    def __init__(self, url: str, token: str) -> None:
        self.url, self.token = url.rstrip("/"), token

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and decoded answer; a refusal is an answer too."""
        request = urllib.request.Request(self.url + path, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        for name, value in headers.items():
            request.add_header(name.replace("_", "-"), value)
        data = None if body is None else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(request, data, timeout=60) as answer:
                return answer.status, json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as refusal:
            text = refusal.read().decode(errors="replace")
            return refusal.code, json.loads(text) if text.startswith("{") else text
        except OSError as problem:
            reason = getattr(problem, "reason", problem)
            sys.exit(f"tour: {self.url} does not answer ({reason}): start `make demo` in another terminal")

    def need(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """A call that must work. Ends the tour with the server's reason if it does not."""
        status, answer = self.call(method, path, body, **headers)
        if status >= 400:
            sys.exit(f"tour: {method} {path} answered {status}: {answer}")
        return answer


def step(text: str) -> None:
    """Say what comes next."""
    print(f"\n== {text}", flush=True)


def settings() -> dict[str, str]:
    """The environment first, then .maestro/demo.env of this checkout."""
    found: dict[str, str] = {}
    file = Path(os.environ.get("MAESTRO_HOME", Path(__file__).parent.parent / ".maestro")) / "demo.env"
    if file.exists():
        pairs = (line.split("=", 1) for line in file.read_text().splitlines() if "=" in line and line[0] != "#")
        found = {name.strip(): value.strip().strip("'\"") for name, value in pairs}
    found |= {name: os.environ[name] for name in ("MAESTRO_URL", "MAESTRO_TOKEN") if name in os.environ}
    if not {"MAESTRO_URL", "MAESTRO_TOKEN"} <= found.keys():
        sys.exit(f"tour: set MAESTRO_URL and MAESTRO_TOKEN, or start `make demo` (no {file})")
    return found


def train(features: Any, target: Any) -> tuple[lightgbm.Booster, dict[str, float], list[float]]:
    """A real training. Returns the booster, held-out metrics and the held-out loss of each round."""
    seen, held_out, seen_target, held_out_target = train_test_split(
        features, target, test_size=0.3, random_state=7, stratify=target
    )
    curves: dict[str, dict[str, list[float]]] = {}
    booster = lightgbm.train(
        PARAMS,
        lightgbm.Dataset(seen, seen_target),
        num_boost_round=ROUNDS,
        valid_sets=[lightgbm.Dataset(held_out, held_out_target)],
        valid_names=["held_out"],
        callbacks=[lightgbm.record_evaluation(curves)],
    )
    predicted = np.asarray(booster.predict(held_out)) > 0.5
    metrics = {
        "balanced_accuracy": float(balanced_accuracy_score(held_out_target, predicted)),
        "accuracy": float(accuracy_score(held_out_target, predicted)),
    }
    return booster, metrics, curves["held_out"]["binary_logloss"]


def track(features: Any, target: Any) -> tuple[str, str, dict[str, float]]:
    """One run through the stock client: tags, dataset, params, metrics, a curve, a file and the model.

    Returns the run's id, the model's address and the held-out metrics.
    """
    if mlflow.get_experiment_by_name(PROJECT) is None:
        mlflow.create_experiment(PROJECT, tags={"maestro.project": PROJECT})
    mlflow.set_experiment(PROJECT)
    tags = {"maestro.project": PROJECT, "maestro.uses": USES}
    with mlflow.start_run(run_name=time.strftime("tour %Y-%m-%d %H:%M:%S"), tags=tags) as run:
        dataset = mlflow.data.from_numpy(features, targets=target, name="breast-cancer")
        mlflow.log_input(dataset, context="training")
        mlflow.log_params(PARAMS | {"rounds": ROUNDS})
        booster, metrics, losses = train(features, target)
        for number, loss in enumerate(losses, start=1):
            mlflow.log_metric("held_out_logloss", loss, step=number, synchronous=False)
        mlflow.log_metrics(metrics)
        importance = [int(count) for count in booster.feature_importance()]
        mlflow.log_dict({"split_counts": importance}, "reports/importance.json")
        example = features[:3]
        model = mlflow.lightgbm.log_model(booster, name="model", input_example=example, pip_requirements=["lightgbm"])
        mlflow.flush_async_logging()
    return run.info.run_id, model.model_uri, metrics


def register(model_uri: str) -> str:
    """Register the run's model and point `champion` at it. Returns the version's number."""
    version = mlflow.register_model(model_uri, MODEL)
    client = MlflowClient()
    client.set_registered_model_alias(MODEL, "champion", version.version)
    return str(client.get_model_version_by_alias(MODEL, "champion").version)


def ask_to_serve(maestro: Maestro, version: str) -> str:
    """Be refused by the gate before `serving`, and ask for it instead. Returns the promotion that waits, "" if it serves."""
    try:
        MlflowClient().set_registered_model_alias(MODEL, "serving", version)
    except mlflow.MlflowException as refusal:
        print(f"refused: {refusal.message}")
    body = {"alias": "serving", "version": version, "why": "the tour's model"}
    asked = maestro.need("POST", f"/api/v1/artifacts/{MODEL}/promotions/", body)
    print(f"asked for: {asked['state']}")
    for condition in asked["conditions"]:
        print(f"  {'is so' if condition['is_met'] else 'missing'}: {condition['text']}")
    return str(asked["id"]) if asked["state"] == "waiting" else ""


def predict_again(features: Any) -> int:
    """Load the champion as any service would; count benign predictions on all rows."""
    champion = mlflow.lightgbm.load_model(f"models:/{MODEL}@champion")
    return int((np.asarray(champion.predict(features)) > 0.5).sum())


def describe_project(maestro: Maestro, n_rows: int, n_features: int) -> None:
    """The project and what is known of its data before any training."""
    facts = {"n_rows": n_rows, "n_features": n_features, "share_categorical": 0.0, "missing_share": 0.0}
    body = {
        "name": "Tour: breast cancer",
        "problem_class": "classification",
        "dataset_facts": facts,
        "goal_metric": "balanced_accuracy",
        "goal_worst": 0.5,
        "goal_best": 1.0,
    }
    maestro.need("PUT", f"/api/v1/projects/{PROJECT}/", body)


def offer_artifacts(maestro: Maestro) -> None:
    """The two artifacts that the run says it uses; the demo's history has them already."""
    for use, kind in (("template-lightgbm", "model_template"), ("scale-standard", "feature_pipeline")):
        status, _ = maestro.call("GET", f"/api/v1/artifacts/{use}/")
        if status == 404:
            maestro.need("PUT", f"/api/v1/artifacts/{use}/", {"kind": kind})
            files = {"files": [{"path": "README.md", "text": f"{use}, made by the tour\n"}]}
            maestro.need("POST", f"/api/v1/artifacts/{use}/versions/", files, Idempotency_Key=f"tour-{use}-1")


def record_outcome(maestro: Maestro, goal: float) -> float:
    """Success on the project's own scale: 0 at balanced accuracy .5, 100 at 1."""
    success = round(100 * max(0.0, (goal - 0.5) / 0.5), 2)
    body = {"success": success, "model_performance": goal, "rule": "100 x (balanced accuracy - .5) / .5"}
    maestro.need("PUT", f"/api/v1/projects/{PROJECT}/outcome/", body)
    return success


def learn(maestro: Maestro) -> None:
    """Ask for a training and follow it. One that is open already is followed."""
    asked = maestro.need("POST", "/api/v1/trainings/", {}, Idempotency_Key=f"tour-{time.time_ns()}")
    deadline, said = time.monotonic() + WAIT_SECONDS, ""
    while time.monotonic() < deadline:
        training = maestro.need("GET", f"/api/v1/trainings/{asked['id']}/")
        now = f"training {training['state']}, {training['percent']} % {training['step']}".rstrip()
        if now != said:
            print(now, flush=True)
            said = now
        if training["state"] in ("done", "failed"):
            print(training["reason"] or f"read {training['counts']}")
            return
        time.sleep(1)
    print(f"the training goes on; its state is at {maestro.url}/api/v1/trainings/{asked['id']}/")


def show_advice(maestro: Maestro) -> None:
    """What Maestro would try next for this project, or why it does not say."""
    advice = maestro.need("GET", f"/api/v1/projects/{PROJECT}/advice/")
    print(f"status {advice['status']}; {advice['unit_text'] or advice['reason']}")
    for need in advice["needs"]:
        print(f"  short: {need['what']}: {need['have']:g} of {need['at_least']:g}")
    for item in advice["items"][:5]:
        numbers = ", ".join(f"{name} {item[name]:+.2f}" for name in ("gain", "low", "high") if item[name] is not None)
        print(f"  {item['rank']}. {item['artifact']['name']}: {numbers} ({item['n_projects']} projects)")
    print(advice["wording"])


def admin_of(maestro: Maestro) -> str:
    """The tenant's own host: the key names its tenant."""
    slug = maestro.token.split("_")[1]
    return maestro.url.replace("://", f"://{slug}.", 1) + "/admin/"


def show_links(admin: str, maestro: Maestro, run_id: str, promotion: str) -> None:
    """Where a person sees all this."""
    if promotion:
        print(f"approve  {admin}registry/promotion/{promotion}/change/ (somebody else than who asks: you, signed in)")
    project = maestro.need("GET", f"/api/v1/projects/{PROJECT}/")["id"]
    model = maestro.need("GET", f"/api/v1/artifacts/{MODEL}/")["id"]
    print(f"run      {admin}tracking/run/{run_id}/change/")
    print(f"project  {admin}tracking/project/{project}/change/")
    print(f"model    {admin}registry/artifact/{model}/change/")
    print(f"impact   {admin}impact/")


def main() -> None:
    """Walk the tour."""
    found = settings()
    maestro = Maestro(found["MAESTRO_URL"], found["MAESTRO_TOKEN"])
    os.environ["MLFLOW_TRACKING_TOKEN"] = found["MAESTRO_TOKEN"]
    mlflow.set_tracking_uri(maestro.url)
    features, target = load_breast_cancer(return_X_y=True)

    step("1. A project, and the artifacts that it will use")
    describe_project(maestro, *features.shape)
    offer_artifacts(maestro)
    step("2. A training, tracked by the stock mlflow client")
    run_id, model_uri, metrics = track(features, target)
    print(f"run {run_id}: balanced accuracy {metrics['balanced_accuracy']:.3f}, uses {USES}")
    step("3. Its model, registered, aliased, loaded and used")
    version = register(model_uri)
    print(f"{MODEL} version {version} is champion")
    print(f"the champion calls {predict_again(features)} of {len(target)} benign; {int(target.sum())} are")
    step("4. `serving` is protected: a gate refuses, and says what is missing")
    promotion = ask_to_serve(maestro, version)
    step("5. How the project went")
    print(f"success {record_outcome(maestro, metrics['balanced_accuracy']):.1f} of 100")
    step("6. Learning from all projects")
    learn(maestro)
    step("7. Advice for this project")
    show_advice(maestro)
    step("8. See it in the admin (sign in with the user and password of `make demo`)")
    show_links(found.get("MAESTRO_ADMIN_URL") or admin_of(maestro), maestro, run_id, promotion)


if __name__ == "__main__":
    main()
