"""Pages of the registry's searches: each row once, in order, whatever its values and whatever goes in between."""

import json
import math
from collections.abc import Callable

import pytest
from django.test import Client

from apps.registry.models import Artifact, LoggedModel
from apps.registry.search.lists import ModelOrder, ModelsAsked, search_models
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, ModelMetric
from tests.registry.test_observations import make_run

ApiFor = Callable[..., Client]
LIST = "/api/2.0/mlflow/registered-models/search"


def make_models(values: list[float | None]) -> Experiment:
    run = make_run()
    for index, value in enumerate(values):
        made = LoggedModel.objects.create(experiment=run.experiment, name=f"m{index}", created_ms=index, updated_ms=1)
        if value is not None:
            ModelMetric.objects.create(
                run=run, model_id=f"m-{made.pk.hex}", key="auc", step=0, timestamp_ms=1, value=value
            )
    return run.experiment


def walk(experiment: Experiment, orders: tuple[ModelOrder, ...], most: int) -> list[str]:
    """Read all pages of a search, one after the other."""
    names: list[str] = []
    after = None
    while True:
        asked = ModelsAsked(experiment_ids=[experiment.pk], orders=orders, most=most, after=after)
        page = search_models(Experiment.objects.all(), asked)
        names += [row.name for row in page.rows]
        if page.following is None:
            return names
        after = json.loads(json.dumps(page.following))


@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("most", [1, 2, 3])
def test_pages_hold_each_model_once(acme: Tenant, *, descending: bool, most: int) -> None:
    values = [0.5, None, math.nan, 0.5, None, -math.inf, 0.25, math.inf, 0.5, None]
    experiment = make_models(values)
    orders = (ModelOrder("metrics.auc", descending), ModelOrder("name", not descending))
    whole = walk(experiment, orders, 100)
    assert sorted(whole) == sorted(f"m{index}" for index in range(len(values)))
    assert set(whole[-3:]) == {"m1", "m4", "m9"}
    assert walk(experiment, orders, most) == whole
    assert walk(experiment, (), most) == [f"m{index}" for index in reversed(range(len(values)))]


def test_a_row_that_goes_hides_no_other(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    for name in "abcde":
        Artifact.objects.create(name=name, kind="model", created_ms=1, updated_ms=1)
    first = client.get(LIST, {"max_results": 2}).json()
    assert [row["name"] for row in first["registered_models"]] == ["a", "b"]
    Artifact.objects.filter(name="a").delete()
    second = client.get(LIST, {"max_results": 2, "page_token": first["next_page_token"]}).json()
    assert [row["name"] for row in second["registered_models"]] == ["c", "d"]


@pytest.mark.parametrize("other", [{"filter": "name LIKE '%'"}, {"order_by": "name DESC"}])
def test_a_token_is_good_for_its_own_search(acme: Tenant, api: ApiFor, other: dict[str, str]) -> None:
    client = api(acme)
    for name in "abc":
        Artifact.objects.create(name=name, kind="model", created_ms=1, updated_ms=1)
    token = client.get(LIST, {"max_results": 1}).json()["next_page_token"]
    assert client.get(LIST, {"max_results": 3, "page_token": token}).json()["registered_models"][0]["name"] == "b"
    refused = client.get(LIST, {"max_results": 1, "page_token": token, **other})
    assert refused.status_code == 400
    assert refused.json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "page_token" in refused.json()["message"]
