"""The stock mlflow client tracks against a real server."""

import math
from collections.abc import Callable

import mlflow
import pandas as pd
import pytest
from mlflow.data.pandas_dataset import from_pandas
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from apps.tenants.models import Tenant
from tests.factories.clients import use_client
from tests.web import WebServer


@pytest.fixture
def client(
    committed: Tenant, web: WebServer, key_for: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> mlflow.MlflowClient:
    """The stock client of a fresh tenant."""
    return use_client(monkeypatch, web, key_for(committed))


def test_a_run_lives_as_the_documentation_of_mlflow_says(client: mlflow.MlflowClient) -> None:
    mlflow.set_experiment("life")
    with mlflow.start_run(run_name="first", tags={"team": "blue"}) as run:
        mlflow.log_params({"lr": 0.1, "text": "tab\tnew\nline 😀 עברית"})
        mlflow.log_metric("loss", 0.5, step=1)
        mlflow.log_metrics({"acc": 0.9, "nan": math.nan, "inf": math.inf}, step=2)
        mlflow.log_input(from_pandas(pd.DataFrame({"a": [1.0]}), name="d"), context="training")
        mlflow.set_tag("mlflow.runName", "renamed")
    found = client.get_run(run.info.run_id)
    assert (found.info.status, found.info.run_name) == ("FINISHED", "renamed")
    assert found.data.params == {"lr": "0.1", "text": "tab\tnew\nline 😀 עברית"}
    assert found.data.metrics["acc"] == 0.9
    assert math.isnan(found.data.metrics["nan"])
    assert found.data.metrics["inf"] == math.inf
    assert found.inputs.dataset_inputs[0].dataset.name == "d"
    assert [point.value for point in client.get_metric_history(run.info.run_id, "loss")] == [0.5]


def test_a_long_batch_and_its_history_are_equal(client: mlflow.MlflowClient) -> None:
    run = client.create_run("0").info.run_id
    points = [Metric("m", i / 7, 1000 + i, i) for i in range(1000)]
    client.log_batch(run, metrics=points[:800], params=[Param("p", "v")], tags=[RunTag("t", "v")])
    client.log_batch(run, metrics=points[800:])
    client.log_batch(run, metrics=points[:800])
    found = client.get_metric_history(run, "m")
    assert [(p.step, p.timestamp, p.value) for p in found] == [(p.step, p.timestamp, p.value) for p in points]


def test_searches_page_and_order(client: mlflow.MlflowClient) -> None:
    experiment = client.create_experiment("search")
    for i in range(5):
        run = client.create_run(experiment).info.run_id
        client.log_metric(run, "acc", i)
        client.log_param(run, "lr", "0.1" if i % 2 else "0.01")
    page = client.search_runs([experiment], "params.lr = '0.01'", order_by=["metrics.acc DESC"], max_results=2)
    assert [run.data.metrics["acc"] for run in page] == [4, 2]
    rest = client.search_runs(
        [experiment], "params.lr = '0.01'", order_by=["metrics.acc DESC"], max_results=2, page_token=page.token
    )
    assert [run.data.metrics["acc"] for run in rest] == [0]
    assert rest.token is None
    assert len(mlflow.search_runs([experiment], "metrics.acc >= 3")) == 2
    assert [e.name for e in client.search_experiments(filter_string="name LIKE 'sea%'")] == ["search"]


def test_the_trash_and_refusals_speak_mlflow(client: mlflow.MlflowClient) -> None:
    experiment = client.create_experiment("trash")
    with pytest.raises(MlflowException, match="RESOURCE_ALREADY_EXISTS"):
        client.create_experiment("trash")
    run = client.create_run(experiment).info.run_id
    client.log_param(run, "p", "1")
    with pytest.raises(MlflowException, match="INVALID_PARAMETER_VALUE"):
        client.log_param(run, "p", "2")
    client.delete_run(run)
    with pytest.raises(MlflowException, match="deleted"):
        client.log_metric(run, "m", 1)
    client.restore_run(run)
    client.delete_experiment(experiment)
    client.restore_experiment(experiment)
    client.rename_experiment(experiment, "other")
    assert client.get_experiment_by_name("trash") is None
    with pytest.raises(MlflowException, match="RESOURCE_DOES_NOT_EXIST"):
        client.get_run("0" * 32)


def test_autolog_of_scikit_learn_tracks_a_fit(client: mlflow.MlflowClient) -> None:
    linear = pytest.importorskip("sklearn.linear_model")
    mlflow.set_experiment("autolog")
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            linear.LinearRegression().fit([[0.0], [1.0], [2.0]], [0.0, 1.0, 2.0])
    finally:
        mlflow.sklearn.autolog(disable=True)
    found = client.get_run(run.info.run_id)
    assert found.data.params["fit_intercept"] == "True"
    assert found.data.metrics["training_r2_score"] == pytest.approx(1.0)
