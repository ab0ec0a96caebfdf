"""What `feast registry-dump` printed comes over: views by what they say, what changed of them, and who reads them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.registry.imports.feast.dump import Dump, changes
from apps.registry.imports.report import Report
from apps.registry.models import Artifact, ArtifactVersion, Edge
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from maestro.errors import Invalid
from tests.registry.imports.conftest import HERE, Run

Spoil = Callable[[dict[str, Any]], Any]
LEFT = {
    ("infra", "shop_customer_orders"),
    ("data source", "unused"),
    ("entity", "__dummy"),
    ("permissions", "readers"),
    ("projectMetadata", "shop"),
    ("savedDatasets", "january"),
}


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    file = tmp_path / "feast.json"
    file.write_bytes((HERE / "feast-registry.json").read_bytes())
    return file


def change(dump: Path, spoil: Spoil) -> None:
    content = json.loads(dump.read_text())
    spoil(content)
    dump.write_text(json.dumps(content))


def text_of(version: ArtifactVersion, path: str) -> Any:
    return json.loads(b"".join(blobs.read(version.files.select_related("blob").get(path=path).blob)))


def left_of(told: dict[str, Any]) -> set[tuple[str, str]]:
    return {(one["kind"], one["identity"]) for one in told["left"]}


def test_views_and_services_come_with_lineage_and_the_rest_is_named(acme: Tenant, dump: Path, command: Run) -> None:
    told, code = command("import_feast", dump, "--tenant", "acme")
    assert (left_of(told), told["differences"], code) == (LEFT, [], 5)
    news = {kind: tally["new"] for kind, tally in told["kinds"].items()}
    assert news == {"feature view": 2, "feature service": 1, "edge": 3}
    view = Artifact.objects.get(name="customer_orders")
    assert (view.kind, view.owner, view.description) == (
        "feature_pipeline",
        "ada@example.org",
        "how often a customer buys",
    )
    version = view.versions.get()
    assert sorted(version.files.values_list("path", flat=True)) == [
        "entities.json",
        "feature_view.json",
        "sources.json",
    ]
    assert [one["name"] for one in text_of(version, "entities.json")] == ["customer"]
    assert text_of(version, "sources.json")[0]["fileOptions"] == {"uri": "data/orders.parquet"}
    assert text_of(version, "feature_view.json")["features"][0] == {"name": "orders_7d", "valueType": "INT64"}
    service = Artifact.objects.get(name="churn_v1")
    edges = Edge.objects.filter(to_version=service.versions.get(), kind="feast:service")
    names = set(edges.values_list("from_version__artifact__name", flat=True))
    inner = Edge.objects.get(kind="feast:view")
    ends = (inner.from_version.artifact.name, inner.to_version.artifact.name)
    assert ends == ("customer_orders", "basket_share")
    assert (service.kind, names) == ("schema", {"customer_orders", "basket_share"})


def test_a_view_that_changed_is_a_version_which_says_what_did(acme: Tenant, dump: Path, command: Run) -> None:
    command("import_feast", dump, "--tenant", "acme")

    def grow(content: dict[str, Any]) -> None:
        message = content["featureViews"][0]
        message["meta"]["lastUpdatedTimestamp"] = "2026-02-28T09:00:00Z"
        message["spec"]["features"] = [
            {"name": "orders_7d", "valueType": "INT32"},
            {"name": "orders_30d", "valueType": "INT64"},
        ]

    def touch(content: dict[str, Any]) -> None:
        """What differs between two dumps of one registry."""
        content["featureViews"][0]["meta"]["materializationIntervals"] = []
        content["featureViews"][0]["spec"]["batchSource"]["meta"]["lastUpdatedTimestamp"] = "2026-02-02T09:00:00Z"
        request = content["onDemandFeatureViews"][0]["spec"]["sources"]["now"]["requestDataSource"]
        request["meta"]["createdTimestamp"] = "2026-02-02T09:00:00Z"

    change(dump, touch)
    told, _ = command("import_feast", dump, "--tenant", "acme")
    assert sum(tally["new"] for tally in told["kinds"].values()) == 0
    change(dump, grow)
    told, _ = command("import_feast", dump, "--tenant", "acme", "--dry-run")
    assert told["kinds"]["feature view"]["new"] == 1
    told, _ = command("import_feast", dump, "--tenant", "acme")
    assert (told["kinds"]["feature view"]["new"], told["kinds"]["edge"]["new"]) == (1, 2)
    second = ArtifactVersion.objects.get(artifact__name="customer_orders", number=2)
    said = "added orders_30d (INT64); removed basket_mean (FLOAT); orders_7d was INT64 and is INT32"
    assert (second.description, second.tags.get(key="feast.changes").value) == (said, said)
    assert second.tags.get(key="feast.applied").value == "2026-02-28T09:00:00Z"


SPOILED: dict[str, tuple[Spoil, tuple[str, str]]] = {
    "a view without a name": (
        lambda content: content["featureViews"][0]["spec"].pop("name"),
        ("feature view", "featureViews[0]"),
    ),
    "a view that is a text": (lambda content: content["featureViews"].append("x"), ("feature view", "featureViews[1]")),
    "features that are none": (
        lambda content: content["featureViews"][0]["spec"].update(features={"a": 1}),
        ("feature view", "featureViews[0]"),
    ),
    "a name that is too long": (
        lambda content: content["featureServices"][0]["spec"].update(name="x" * 300),
        ("feature service", "featureServices[0]"),
    ),
    "a service of no view": (
        lambda content: content["featureServices"][0]["spec"]["features"][0].update(featureViewName="gone"),
        ("edge", "gone to churn_v1"),
    ),
    "a name that climbs": (
        lambda content: content["featureViews"][0]["spec"].update(name=".."),
        ("feature view", ".."),
    ),
    "another list": (lambda content: content.update(news=[{"name": "n"}]), ("news", "n")),
}


@pytest.mark.parametrize("case", SPOILED)
def test_what_is_spoiled_is_named_and_the_rest_comes(acme: Tenant, dump: Path, command: Run, case: str) -> None:
    spoil, named = SPOILED[case]
    change(dump, spoil)
    told, code = command("import_feast", dump, "--tenant", "acme")
    assert (code, named in left_of(told)) == (5, True), told["left"]
    assert Artifact.objects.filter(name="basket_share").exists()


@pytest.mark.parametrize("text", ["", "[]", "no json", '{"a": 1}', '{"project": 1, "featureViews": 3}', "{" * 5_000])
def test_what_is_no_dump_is_refused(acme: Tenant, dump: Path, command: Run, text: str) -> None:
    dump.write_text(text)
    told, code = command("import_feast", dump, "--tenant", "acme")
    assert (code, Artifact.objects.exists()) == (2, False), told


def test_a_name_that_is_taken_and_a_warning_before_the_json(acme: Tenant, dump: Path, command: Run) -> None:
    Artifact.objects.create(name="customer_orders", created_ms=1, updated_ms=1)
    dump.write_text("a warning of the program\n" + dump.read_text())
    told, _ = command("import_feast", dump, "--tenant", "acme")
    assert left_of(told) == LEFT | {
        ("feature view", "customer_orders"),
        ("edge", "customer_orders to churn_v1"),
        ("edge", "customer_orders to basket_share"),
        ("data source", "orders"),
        ("entity", "customer"),
    }


plain = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["name", "spec", "meta", "features", "entities", "sources"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(["featureViews", "featureServices", "entities", "project", "more"]), plain))
def test_whatever_a_dump_holds_is_read_or_refused(content: dict[str, Any]) -> None:
    try:
        dump = Dump(json.dumps(content).encode(), Report())
        assert list(dump.views()) is not None
        assert list(dump.services()) is not None
        assert list(dump.rest()) is not None
    except Invalid:
        pass


def test_changes_are_told_in_words() -> None:
    assert changes({"a": "INT64"}, {"a": "INT64"}) == []
    assert changes({"a": "INT64"}, {"b": "FLOAT"}) == ["added b (FLOAT)", "removed a (INT64)"]
