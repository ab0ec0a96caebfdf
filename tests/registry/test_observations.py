"""Usages are noticed from what runs say, once, and looked at again when what they name appears."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.registry.models import Edge, LoggedModel, Usage
from apps.registry.observations import Seen, observe
from apps.registry.tasks import observe_usages
from apps.tenants.models import Tenant
from apps.tracking.models import Dataset, Experiment, Project, Run, RunInput, RunModel, Tag
from maestro.tasks import MissingTenant
from tests.factories.sending import make_version, send

ApiFor = Callable[..., Client]
AT = datetime(2026, 5, 1, tzinfo=UTC)


def make_run(uses: str | None = None, slug: str = "default") -> Run:
    project, _ = Project.objects.get_or_create(slug=slug, defaults={"name": slug})
    experiment, _ = Experiment.objects.get_or_create(
        name=f"e-{slug}", defaults={"project": project, "created_ms": 1, "updated_ms": 1}
    )
    run = Run.objects.create(experiment=experiment, name="r", start_ms=86_400_000, last_write_ms=1)
    if uses is not None:
        Tag.objects.create(run=run, key="maestro.uses", value=uses)
    return run


def used() -> list[tuple[str, int, str]]:
    rows = Usage.objects.order_by("version__artifact__name", "version__number")
    return [
        (use.version.artifact.name, use.version.number, use.observed)
        for use in rows.select_related("version__artifact")
    ]


def test_a_tag_names_versions_by_number_alias_or_newest(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    for text in ("one", "two"):
        make_version(client, "encoder", text)
    make_version(client, "imputer")
    make_version(client, "notes")
    send(client, "put", "/api/v1/artifacts/encoder/aliases/champion/", {"version": "1"})
    run = make_run(" encoder@champion , imputer@1,notes, ", slug="churn")
    assert observe(AT) == Seen(runs=1, usages=3, unsettled=0)
    assert used() == [("encoder", 1, "tag"), ("imputer", 1, "tag"), ("notes", 1, "tag")]
    use = Usage.objects.select_related("project").first()
    assert use is not None
    assert (use.run_id, use.project.slug, use.at) == (run.pk, "churn", datetime(1970, 1, 2, tzinfo=UTC))
    assert Edge.objects.filter(to_run=run, kind="used").count() == 3
    assert observe(AT) == Seen()


def test_a_changed_tag_replaces_what_it_said(acme: Tenant, api: ApiFor) -> None:
    client = api(acme)
    make_version(client, "encoder")
    make_version(client, "imputer")
    run = make_run("encoder@1")
    observe(AT)
    Tag.objects.filter(run=run).update(value="imputer@1")
    observe(AT)
    assert used() == [("imputer", 1, "tag")]
    assert Edge.objects.filter(to_run=run).count() == 1


def test_a_mention_of_what_is_not_here_yet_is_settled_later(acme: Tenant, api: ApiFor) -> None:
    make_run("encoder@2")
    assert observe(AT) == Seen(runs=1, usages=0, unsettled=1)
    for text in ("one", "two"):
        make_version(api(acme), "encoder", text)
    assert observe(AT) == Seen(runs=1, usages=1, unsettled=0)
    assert used() == [("encoder", 2, "tag")]


@pytest.mark.parametrize("text", ["", ",,,", "@", "a@b@c", "nobody", "x" * 5000, "encoder@'; DROP TABLE x", "🦆@1"])
def test_a_tag_that_can_not_be_read_does_no_harm(acme: Tenant, api: ApiFor, text: str) -> None:
    make_version(api(acme), "encoder")
    make_run(text)
    make_run("encoder@1")
    observe(AT)
    assert used() == [("encoder", 1, "tag")]


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("maestro://encoder/1", True),
        ('{"uri": "maestro://encoder/1"}', True),
        ("models:/encoder/1", True),
        ("models:/encoder@champion", True),
        ("maestro://enc%6Fder/1", True),
        ("s3://bucket/encoder/1", False),
        ("maestro://encoder/9", False),
        ("maestro://nobody/1", False),
    ],
)
def test_an_input_dataset_names_its_version(acme: Tenant, api: ApiFor, source: str, found: bool) -> None:
    client = api(acme)
    make_version(client, "encoder")
    send(client, "put", "/api/v1/artifacts/encoder/aliases/champion/", {"version": "1"})
    run = make_run()
    dataset = Dataset.objects.create(experiment=run.experiment, name="d", digest="1", source=source)
    RunInput.objects.create(run=run, dataset=dataset)
    observe(AT)
    assert used() == ([("encoder", 1, "input")] if found else [])


def test_a_logged_model_that_a_run_read_becomes_lineage(acme: Tenant) -> None:
    run = make_run()
    model = LoggedModel.objects.create(experiment=run.experiment, name="m", created_ms=1, updated_ms=1)
    RunModel.objects.create(run=run, direction="input", model_id=model.model_id)
    RunModel.objects.create(run=run, direction="input", model_id="m-nonsense")
    observe(AT)
    assert [(edge.from_model_id, edge.to_run_id) for edge in Edge.objects.all()] == [(model.pk, run.pk)]


def test_the_task_works_in_its_own_tenant_and_refuses_to_work_in_none(
    committed: Tenant, other_committed: Tenant, api: ApiFor
) -> None:
    for tenant in (committed, other_committed):
        with tenant_context(tenant):
            make_version(api(tenant), "encoder")
            make_run("encoder@1")
    with tenant_context(other_committed):
        assert observe_usages(schema=committed.schema_name).startswith("1 new usages")
    with tenant_context(committed):
        assert used() == [("encoder", 1, "tag")]
    with tenant_context(other_committed):
        assert used() == []
    with pytest.raises(MissingTenant):
        observe_usages()


def test_lineage_walks_up_to_sources_and_down_to_uses(acme: Tenant, globex: Tenant, api: ApiFor) -> None:
    with tenant_context(acme):
        client = api(acme)
        make_version(client, "data")
        first = make_run("data@1", slug="churn")
        body = {"files": [{"path": "m", "text": "m"}], "run": first.pk.hex}
        send(client, "put", "/api/v1/artifacts/model/", {"kind": "model"})
        send(client, "post", "/api/v1/artifacts/model/versions/", body, Idempotency_Key="k")
        make_run("model@1", slug="other")
        observe(AT)
        whole = client.get("/api/v1/artifacts/model/lineage/").json()
        assert [(n["kind"], n["label"], n["layer"]) for n in whole["nodes"]] == [
            ("version", "data v1", 0),
            ("run", "r", 1),
            ("version", "model v1", 2),
            ("run", "r", 3),
        ]
        assert sorted(edge["kind"] for edge in whole["edges"]) == ["produced", "used", "used"]
        up = client.get("/api/v1/artifacts/model/lineage/?direction=up&depth=1&version=1").json()
        assert [node["kind"] for node in up["nodes"]] == ["run", "version"]
        assert len(client.get(f"/api/v1/runs/{first.pk.hex}/lineage/?direction=down").json()["nodes"]) == 3
        scoped = api(acme, project_id=first.experiment.project_id).get("/api/v1/artifacts/data/lineage/").json()
        assert [node["run"] for node in scoped["nodes"] if node["kind"] == "run"] == [first.pk.hex]
        for bad in ("depth=0", "depth=11", "depth=x", "direction=left", "version=9"):
            assert client.get(f"/api/v1/artifacts/model/lineage/?{bad}").status_code in (400, 404)
    assert api(globex).get("/api/v1/artifacts/model/lineage/").status_code == 404
    assert api(globex).get(f"/api/v1/runs/{first.pk.hex}/lineage/").status_code == 404
