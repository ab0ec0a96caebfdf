"""Autologging of scikit-learn and LightGBM by the whole mlflow package, checked figure by figure on the server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django_tenants.utils import tenant_context

from apps.registry.models import LoggedModel
from apps.tenants.models import Tenant
from apps.tracking.models import LatestMetric, Run, RunFile
from tests.clients import python_of
from tests.factories.clients import run_script
from tests.web import WebServer

KeyFor = Callable[..., str]
# The client loads each model in another process to see what it imports; the test has no use for the answer.
QUICK = {"MLFLOW_REQUIREMENTS_INFERENCE_TIMEOUT": "1"}
SKLEARN = """
import json, mlflow, numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV
rng = np.random.default_rng(7)
X = rng.normal(size=(90, 3)); y = (X[:, 0] > 0).astype(int)
mlflow.set_experiment("grid")
mlflow.sklearn.autolog(max_tuning_runs=3)
search = GridSearchCV(LogisticRegression(), {"C": [0.01, 1.0, 100.0]}, cv=3)
search.fit(X, y)
held_out = accuracy_score(y[:30], search.predict(X[:30]))
run = mlflow.last_active_run()
loaded = mlflow.sklearn.load_model(f"runs:/{run.info.run_id}/best_estimator")
print(json.dumps({
    "run": run.info.run_id, "best": search.best_params_["C"], "score": search.best_score_, "held_out": held_out,
    "means": list(search.cv_results_["mean_test_score"]), "same": bool((loaded.predict(X) == search.predict(X)).all()),
}))
"""
LIGHTGBM = """
import json, lightgbm, mlflow, numpy as np
rng = np.random.default_rng(7)
X = rng.normal(size=(200, 3)); y = (X[:, 0] > 0).astype(int)
mlflow.set_experiment("trees")
mlflow.lightgbm.autolog()
train, valid = lightgbm.Dataset(X[:150], y[:150]), lightgbm.Dataset(X[150:], y[150:])
history = {}
with mlflow.start_run() as run:
    booster = lightgbm.train(
        {"objective": "binary", "metric": ["binary_logloss"], "learning_rate": 0.2, "verbose": -1}, train, 12,
        valid_sets=[valid], valid_names=["valid"], callbacks=[lightgbm.record_evaluation(history)])
loaded = mlflow.lightgbm.load_model(f"runs:/{run.info.run_id}/model")
points = mlflow.MlflowClient().get_metric_history(run.info.run_id, "valid-binary_logloss")
print(json.dumps({
    "run": run.info.run_id, "losses": history["valid"]["binary_logloss"], "read": [(p.step, p.value) for p in points],
    "same": bool(np.allclose(loaded.predict(X), booster.predict(X))), "rounds": booster.num_trees(),
}))
"""


def figures(run: Run) -> dict[str, float]:
    return {row.key.name: row.value for row in LatestMetric.objects.filter(run=run).select_related("key")}


@pytest.fixture
def told(committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """What both trainings say of themselves, of one process: to import the client takes longer than to train."""
    python = python_of("full-3.17")
    text = run_script(web, key_for(committed), SKLEARN + LIGHTGBM, tmp_path, python=python, **QUICK)
    grid, trees = (json.loads(line) for line in text.splitlines() if line.startswith('{"run"'))
    return grid, trees


@pytest.mark.slow
def test_autologging_leaves_a_grid_with_a_child_for_each_choice_and_each_round_of_trees(
    committed: Tenant, told: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    grid, trees = told
    with tenant_context(committed):
        check_grid(grid)
        check_trees(trees)


def check_grid(told: dict[str, Any]) -> None:
    """A grid search leaves its parent, a child for each choice, and what scikit-learn said of them."""
    assert told["same"]
    parent = Run.objects.get(pk=told["run"])
    assert parent.status == "FINISHED"
    assert figures(parent)["best_cv_score"] == pytest.approx(told["score"])
    assert told["held_out"] in figures(parent).values()
    params = {param.key: param.value for param in parent.params.all()}
    assert params["best_C"] == str(told["best"])
    assert params["cv"] == "3"
    children = Run.objects.filter(tags__key="mlflow.parentRunId", tags__value=told["run"])
    scores = {float(child.params.get(key="C").value): figures(child)["mean_test_score"] for child in children}
    assert scores == pytest.approx(dict(zip([0.01, 1.0, 100.0], told["means"], strict=True)))
    assert {child.status for child in children} == {"FINISHED"}
    files = set(RunFile.objects.filter(run=parent).values_list("path", flat=True))
    assert {"cv_results.csv", "training_confusion_matrix.png"} <= files
    assert LoggedModel.objects.filter(run=told["run"], name="best_estimator").exists()


def check_trees(told: dict[str, Any]) -> None:
    """LightGBM leaves each round of its losses."""
    assert told["same"]
    assert told["read"] == [[step, pytest.approx(loss)] for step, loss in enumerate(told["losses"])]
    run = Run.objects.get(pk=told["run"])
    params = {param.key: param.value for param in run.params.all()}
    assert (params["learning_rate"], params["num_boost_round"]) == ("0.2", "12")
    assert figures(run)["valid-binary_logloss"] == pytest.approx(told["losses"][-1])
    files = set(RunFile.objects.filter(run=run).values_list("path", flat=True))
    assert {"feature_importance_gain.png", "feature_importance_split.json"} <= files
    assert told["rounds"] == 12
