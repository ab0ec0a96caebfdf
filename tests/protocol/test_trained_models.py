"""A model is trained, logged, registered and loaded again by the stock client, in two tenants from one process."""

import json
from collections.abc import Callable
from pathlib import Path

from django_tenants.utils import tenant_context

from apps.registry.models import ArtifactVersion, Edge
from apps.tenants.models import Tenant
from tests.factories.clients import run_script
from tests.web import WebServer

KeyFor = Callable[..., str]
CALL = "/api/2.0/mlflow/"
TRAINING = """
import json, os, sys
import numpy as np, mlflow, mlflow.sklearn, mlflow.lightgbm
import lightgbm
from sklearn.linear_model import LogisticRegression

rng = np.random.default_rng(7)
X = rng.normal(size=(120, 3)); y = (X[:, 0] + X[:, 1] > 0).astype(int)

def train():
    with mlflow.start_run() as run:
        linear = mlflow.sklearn.log_model(LogisticRegression().fit(X, y), name="linear", registered_model_name="churn", serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"])
        trees = lightgbm.train({"objective": "binary", "verbose": -1}, lightgbm.Dataset(X, y), 20)
        boosted = mlflow.lightgbm.log_model(trees, name="boosted", pip_requirements=["lightgbm"])
    version = mlflow.register_model(boosted.model_uri, "churn")
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("churn", "champion", version.version)
    uris = ["models:/churn/1", "models:/churn@champion", "models:/churn/latest", linear.model_uri, f"runs:/{run.info.run_id}/boosted"]
    scores = [float(((mlflow.pyfunc.load_model(uri).predict(X) > 0.5) == y).mean()) for uri in uris]
    native = float(((mlflow.lightgbm.load_model("models:/churn@champion").predict(X) > 0.5) == y).mean())
    shown = client.get_run(run.info.run_id)
    print(json.dumps({"scores": scores, "native": native, "outputs": [m.model_id for m in shown.outputs.model_outputs],
        "models": [linear.model_id, boosted.model_id], "version": version.version}))

train()
os.environ["MLFLOW_TRACKING_TOKEN"] = os.environ["TOKEN_OF_ANOTHER"]
train()
"""


def test_a_trained_model_is_logged_registered_and_loaded_in_both_tenants(
    committed: Tenant, other_committed: Tenant, web: WebServer, key_for: KeyFor, tmp_path: Path
) -> None:
    told = run_script(web, key_for(committed), TRAINING, tmp_path, TOKEN_OF_ANOTHER=key_for(other_committed))
    lines = [line for line in told.splitlines() if line.startswith("{")]
    for tenant, line in zip((committed, other_committed), lines, strict=True):
        said = json.loads(line)
        assert said["version"] in (2, "2")
        assert len(said["scores"]) == 5
        assert min(*said["scores"], said["native"]) > 0.85
        assert sorted(said["outputs"]) == sorted(said["models"])
        with tenant_context(tenant):
            versions = ArtifactVersion.objects.order_by("number")
            assert [(v.number, v.logged_model.model_id) for v in versions] == list(enumerate(said["models"], 1))
            assert all(v.digest and v.files.filter(path="MLmodel").exists() for v in versions)
            assert Edge.objects.filter(from_model__isnull=False, to_version__in=versions).count() == 2
    with tenant_context(committed):
        assert ArtifactVersion.objects.count() == 2
