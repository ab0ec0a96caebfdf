"""What is answered has a bound in bytes, however long the things are that a page is of: it ends early, and goes on.

Every list that pages is read to its end, as a client does, with the largest page that may be asked for: nothing is shown twice,
nothing is left out, and no answer is much longer than the bound.
"""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, LoggedModel, VersionTag
from apps.tenants.models import Tenant
from apps.tracking.models import (
    EvaluationDataset,
    EvaluationRecord,
    Experiment,
    ExperimentTag,
    Project,
    Run,
    Tag,
    Trace,
)
from maestro import limits

MANY, LONG = 44, 500_000  # 22 MB
TEXT = "x" * limits.TAG_VALUE_CHARS
NOTES = {f"k{number}": TEXT for number in range(LONG // limits.TAG_VALUE_CHARS)}
TIME: dict[str, Any] = {"created_ms": 1, "updated_ms": 1}
LOCATION = {"locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}]}
# An answer may have one step more than the bound.
MOST_BYTES, MOST_HELD = 1.5 * limits.ANSWER_BYTES, 8 * limits.ANSWER_BYTES


def runs() -> None:
    home = Experiment.objects.get(pk=0)
    rows = Run.objects.bulk_create(Run(experiment=home, name=f"r{n}", start_ms=n, last_write_ms=1) for n in range(MANY))
    Tag.objects.bulk_create(Tag(run=row, key=key, value=text) for row in rows for key, text in NOTES.items())


def experiments() -> None:
    home = Project.objects.first()
    rows = Experiment.objects.bulk_create(Experiment(project=home, name=f"e{n}", **TIME) for n in range(MANY))
    ExperimentTag.objects.bulk_create(
        ExperimentTag(experiment=row, key=key, value=text) for row in rows for key, text in NOTES.items()
    )


def traces() -> None:
    home = Experiment.objects.get(pk=0)
    Trace.objects.bulk_create(
        Trace(pk=f"tr-{n}", experiment=home, request_ms=n, tags=NOTES, request_preview=f"t{n}") for n in range(MANY)
    )


def evaluation_datasets() -> None:
    home = Project.objects.first()
    EvaluationDataset.objects.bulk_create(
        EvaluationDataset(project=home, name=f"d{n}", tags=NOTES, **TIME) for n in range(MANY)
    )


def records() -> None:
    dataset = EvaluationDataset.objects.create(pk="d-1", project=Project.objects.first(), name="d", **TIME)
    EvaluationRecord.objects.bulk_create(
        EvaluationRecord(pk=f"dr-{n}", dataset=dataset, input_sha256=str(n), inputs={"q": n} | NOTES, **TIME)
        for n in range(MANY)
    )


def models() -> None:
    kind = Artifact.Kind.MODEL
    rows = Artifact.objects.bulk_create(Artifact(name=f"m{n}", kind=kind, **TIME) for n in range(MANY))
    ArtifactTag.objects.bulk_create(
        ArtifactTag(artifact=row, key=key, value=text) for row in rows for key, text in NOTES.items()
    )


def versions() -> None:
    artifact = Artifact.objects.create(name="m", kind=Artifact.Kind.MODEL, **TIME)
    rows = ArtifactVersion.objects.bulk_create(
        ArtifactVersion(artifact=artifact, number=n + 1, **TIME) for n in range(MANY)
    )
    VersionTag.objects.bulk_create(
        VersionTag(version=row, key=key, value=text) for row in rows for key, text in NOTES.items()
    )


def logged_models() -> None:
    home = Experiment.objects.get(pk=0)
    LoggedModel.objects.bulk_create(
        LoggedModel(experiment=home, name=f"l{n}", params=NOTES, **TIME) for n in range(MANY)
    )


# How a list is filled, asked for, and told apart: the call, its fields, the list's name, and what names one of its things.
V2, V3 = "/api/2.0/mlflow/", "/api/3.0/mlflow/"
ALL = {"experiment_ids": ["0"], "max_results": 1_000}
LISTS: dict[str, tuple[Callable[[], None], str, dict[str, Any], str, Callable[[Any], Any]]] = {
    "runs": (runs, f"POST {V2}runs/search", ALL, "runs", lambda row: row["info"]["run_name"]),
    "experiments": (
        experiments,
        f"POST {V2}experiments/search",
        {"max_results": 1_000, "filter": "name LIKE 'e%'"},
        "experiments",
        lambda row: row["name"],
    ),
    "traces": (
        traces,
        f"POST {V3}traces/search",
        LOCATION | {"max_results": 500},
        "traces",
        lambda row: row["request_preview"],
    ),
    "evaluation datasets": (
        evaluation_datasets,
        f"POST {V3}datasets/search",
        {"max_results": 1_000},
        "datasets",
        lambda row: row["name"],
    ),
    "records": (
        records,
        f"GET {V3}datasets/d-1/records",
        {"max_results": 1_000},
        "records",
        lambda row: row["inputs"]["q"],
    ),
    "models": (
        models,
        f"GET {V2}registered-models/search",
        {"max_results": 1_000},
        "registered_models",
        lambda row: row["name"],
    ),
    "versions": (
        versions,
        f"GET {V2}model-versions/search",
        {"max_results": 10_000},
        "model_versions",
        lambda row: row["version"],
    ),
    "logged models": (
        logged_models,
        f"POST {V2}logged-models/search",
        ALL,
        "models",
        lambda row: row["info"]["name"],
    ),
}


def pages_of(client: Client, call: str, fields: dict[str, Any]) -> tuple[list[bytes], int]:
    """Every page of a list, by its tokens, and the most memory that one took while it was made."""
    method, path = call.split(" ")
    pages: list[bytes] = []
    token: str | None = ""
    most = 0
    while token is not None:
        asked = fields | ({"page_token": token} if token else {})
        tracemalloc.start()
        if method == "GET":
            answer = client.get(path, asked)
        else:
            answer = client.post(path, asked, content_type="application/json")
        most = max(most, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert answer.status_code == 200, answer.content[:500]
        pages.append(answer.content)
        token = answer.json().get("next_page_token")
    return pages, most


def rows_of(found: Any) -> list[Any]:
    """The rows of a page; those of evaluation records travel as text."""
    return list(json.loads(found) if isinstance(found, str) else found)


@pytest.mark.parametrize("name", LISTS)
def test_a_page_of_long_things_ends_early_and_goes_on(name: str, acme: Tenant, api: Callable[..., Client]) -> None:
    fill, call, fields, field, told = LISTS[name]
    fill()
    pages, held = pages_of(api(acme), call, fields)
    print(f"{name}: {len(pages)} pages, {max(map(len, pages)) / 2**20:.1f} MiB at most, {held / 2**20:.0f} MiB held")
    shown = [told(row) for page in pages for row in rows_of(json.loads(page)[field])]
    assert len(shown) == len(set(shown)) == MANY
    assert len(pages) > 1
    assert max(map(len, pages)) < MOST_BYTES
    assert held < MOST_HELD


def test_a_page_of_a_rest_list_ends_early_too(acme: Tenant, api: Callable[..., Client]) -> None:
    text, many = "x" * limits.TEXT_CHARS, 300
    Artifact.objects.bulk_create(
        Artifact(name=f"m{n}", kind=Artifact.Kind.MODEL, description=text, card=text, **TIME) for n in range(many)
    )
    client, names, sizes = api(acme), list[str](), list[int]()
    address: str | None = "/api/v1/artifacts/?limit=500"
    while address:
        answer = client.get(address)
        sizes.append(len(answer.content))
        names += [row["name"] for row in answer.json()["results"]]
        address = answer.json()["next"]
    print(f"artifacts: {len(sizes)} pages, {max(sizes) / 2**20:.1f} MiB at most")
    assert len(names) == len(set(names)) == many
    assert len(sizes) > 1
    assert max(sizes) < MOST_BYTES


def test_what_does_not_page_says_that_it_is_too_much(acme: Tenant, api: Callable[..., Client]) -> None:
    traces()
    asked = {"trace_ids": [f"tr-{n}" for n in range(MANY)]}
    answer = api(acme).post(f"{V3}traces/batchGetInfos", asked, content_type="application/json")
    assert answer.status_code == 413, answer.content[:300]
    few = api(acme).post(f"{V3}traces/batchGetInfos", {"trace_ids": ["tr-1", "tr-2"]}, content_type="application/json")
    assert len(few.json()["trace_infos"]) == 2
