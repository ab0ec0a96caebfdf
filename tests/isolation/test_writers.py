"""What a run names is resolved as its writer: nobody learns of another project by it, or stands in its owner's way."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from django.apps import apps
from django.db.models import CASCADE, PROTECT, ForeignKey, ProtectedError
from django.test import Client

from apps.recommendations.answers import advice
from apps.recommendations.models import Advice, ImpactModel, ImpactScore, Training
from apps.registry.models import Artifact, ArtifactVersion, Edge, LoggedModel, Usage
from apps.registry.observations import observe
from apps.tenants.models import Tenant
from apps.tracking.exports import orders
from apps.tracking.models import Dataset, Experiment, Export, ModelMetric, Project, Run, RunInput, TagWriter
from apps.tracking.runs import moves
from maestro.principals import Actor
from tests.factories.sending import send
from tests.factories.two_projects import MARK, MLFLOW, Things, furnish, person_in, post, speaking_as

Api = Callable[..., Client]
AT = datetime(2026, 5, 1, tzinfo=UTC)


@pytest.fixture
def things(acme: Tenant, api: Api) -> Things:
    return furnish(api, acme)


@pytest.fixture
def ours(acme: Tenant, api: Api, things: Things) -> Client:
    return api(acme, "contributor", project_id=things.mine.pk)


@pytest.fixture
def own_run(ours: Client) -> dict[str, Any]:
    number = post(ours, f"{MLFLOW}experiments/create", {"name": "own"})["experiment_id"]
    info: dict[str, Any] = post(ours, f"{MLFLOW}runs/create", {"experiment_id": number})["run"]["info"]
    return info


def naming(things: Things) -> Iterator[tuple[str, Callable[[Client, dict[str, Any]], Any]]]:
    """Every way in which a run says that it uses something."""
    name, model = things.ids["artifact"], things.ids["model_id"]
    tag = {"key": "maestro.uses", "value": f"{name}@1, {name}"}

    def said(path: str, body: dict[str, Any]) -> Callable[[Client, dict[str, Any]], Any]:
        return lambda client, run: post(client, MLFLOW + path, {"run_id": run["run_id"]} | body)

    def source(text: str, digest: str) -> Callable[[Client, dict[str, Any]], Any]:
        dataset = {"name": "d", "digest": digest, "source_type": "x", "source": text}
        return said("runs/log-inputs", {"datasets": [{"dataset": dataset}]})

    yield "set-tag", said("runs/set-tag", tag)
    yield "log-batch", said("runs/log-batch", {"tags": [tag]})
    yield (
        "create",
        lambda client, run: post(
            client, f"{MLFLOW}runs/create", {"experiment_id": run["experiment_id"], "tags": [tag]}
        ),
    )
    yield (
        "bulk",
        lambda client, run: post(
            client,
            "/api/v1/runs/bulk/",
            {"action": "tag", "runs": [run["run_id"]], "tags": {tag["key"]: tag["value"]}},
        ),
    )
    yield "maestro://", source(f"maestro://{name}/1", "1")
    yield "models:/", source(f'{{"uri": "models:/{name}/1"}}', "2")
    yield "models:/ by alias", source(f"models:/{name}@latest", "3")
    yield "model input", said("runs/log-inputs", {"models": [{"model_id": model}]})


def ways() -> list[str]:
    blank = Things(dict.fromkeys(("artifact", "model_id"), "x"), None, None)  # type: ignore[arg-type]
    return [name for name, _ in naming(blank)]


def register_the_logged_model(acme: Tenant, api: Api, things: Things) -> None:
    body = {"name": things.ids["artifact"], "source": f"models:/{things.ids['model_id']}"}
    post(api(acme, project_id=things.theirs.pk), f"{MLFLOW}model-versions/create", body)


@pytest.mark.parametrize("way", ways())
def test_a_worker_resolves_what_a_run_names_as_its_writer(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any], way: str
) -> None:
    register_the_logged_model(acme, api, things)
    say = dict(naming(things))[way]
    say(ours, own_run)
    observe(AT)
    assert not Usage.objects.exists()
    assert not Edge.objects.filter(kind="used").exists()
    # The same word of somebody who sees both is taken.
    wide = api(acme, "contributor")
    number = post(ours, f"{MLFLOW}experiments/create", {"name": "another"})["experiment_id"]
    say(wide, post(wide, f"{MLFLOW}runs/create", {"experiment_id": number})["run"]["info"])
    observe(AT)
    assert set(Usage.objects.values_list("version__artifact__name", flat=True)) == {things.ids["artifact"]}


@pytest.mark.parametrize("way", ways())
def test_the_owner_deletes_what_others_name(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any], way: str
) -> None:
    register_the_logged_model(acme, api, things)
    dict(naming(things))[way](ours, own_run)
    observe(AT)
    owner = speaking_as(acme, person_in({things.theirs: "admin"}))
    gone = send(owner, "delete", f"{MLFLOW}registered-models/delete", {"name": things.ids["artifact"]})
    assert gone.status_code == 200, gone.content
    assert not Artifact.objects.filter(name=things.ids["artifact"]).exists()


def test_the_last_writer_of_a_tag_counts(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any]
) -> None:
    say = dict(naming(things))["set-tag"]
    say(ours, own_run)
    observe(AT)
    assert not Usage.objects.exists()
    say(api(acme, "contributor"), own_run)
    observe(AT)
    assert Usage.objects.count() == 1
    say(ours, own_run)
    observe(AT)
    assert not Usage.objects.exists()
    writer = TagWriter.objects.get()
    assert (writer.sees_all, writer.sees) == (False, [things.mine.pk])


def test_a_tag_whose_writer_nobody_noted_reaches_its_own_project(
    acme: Tenant, api: Api, things: Things, own_run: dict[str, Any]
) -> None:
    mine = Artifact.objects.create(name="own", project=things.mine, created_ms=1, updated_ms=1)
    ArtifactVersion.objects.create(artifact=mine, number=1, state="ready", created_ms=1, updated_ms=1)
    Run.objects.get(pk=own_run["run_id"]).tags.create(key="maestro.uses", value=f"own@1,{things.ids['artifact']}@1")
    observe(AT)
    assert list(Usage.objects.values_list("version__artifact__name", flat=True)) == ["own"]


def test_a_source_planted_by_another_is_not_resolved_as_the_runs_writer(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any]
) -> None:
    """A dataset is known by its name and digest: who told its source first is not who reads it later."""
    dict(naming(things))["maestro://"](ours, own_run)
    wide = api(acme, "contributor")
    body = {"experiment_id": own_run["experiment_id"]}
    run = post(wide, f"{MLFLOW}runs/create", body)["run"]["info"]["run_id"]
    honest = {"name": "d", "digest": "1", "source_type": "x", "source": "file.csv"}
    post(wide, f"{MLFLOW}runs/log-inputs", {"run_id": run, "datasets": [{"dataset": honest}]})
    observe(AT)
    assert RunInput.objects.filter(run=run, sees_all=True).exists()
    assert not Usage.objects.exists()


def test_a_moved_input_keeps_its_writers(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any]
) -> None:
    dict(naming(things))["maestro://"](ours, own_run)
    target = Experiment.objects.create(project=things.theirs, name="there", created_ms=1, updated_ms=1)
    run = Run.objects.get(pk=own_run["run_id"])
    moves.move([run.pk], target.pk, Actor("test:anyone"))
    assert Dataset.objects.get(experiment=target).sees == [things.mine.pk]
    observe(AT)
    assert not Usage.objects.exists()


@pytest.mark.parametrize("call", ["runs/log-metric", "runs/log-batch"])
def test_a_metric_of_a_model_out_of_reach_is_one_of_a_model_that_never_was(
    acme: Tenant, api: Api, things: Things, ours: Client, own_run: dict[str, Any], call: str
) -> None:
    def log(client: Client, model: str) -> Any:
        point = {"key": "auc", "value": 0.5, "timestamp": 1, "step": 0, "model_id": model}
        body = {"metrics": [point]} if call == "runs/log-batch" else point
        return send(client, "post", MLFLOW + call, {"run_id": own_run["run_id"]} | body)

    theirs, never = things.ids["model_id"], "m-" + "0" * 32
    foreign, missing = log(ours, theirs), log(ours, never)
    assert foreign.status_code == missing.status_code == 404
    assert foreign.json() == {k: v.replace(never, theirs) for k, v in missing.json().items()}
    assert not ModelMetric.objects.exists()
    assert not Run.objects.get(pk=own_run["run_id"]).latest.exists()
    assert log(api(acme, "contributor"), theirs).status_code == 200
    assert log(api(acme, "contributor"), never).status_code == 404
    assert ModelMetric.objects.count() == 1


def test_a_copy_of_a_shared_version_does_not_touch_the_project_that_it_came_from(
    acme: Tenant, api: Api, things: Things, ours: Client
) -> None:
    wide, model = api(acme, "contributor"), things.ids["model_id"]
    post(wide, f"{MLFLOW}registered-models/create", {"name": "shared"})
    body = {"name": "shared", "source": f"models:/{model}", "model_id": model}
    post(wide, f"{MLFLOW}model-versions/create", body)
    before = LoggedModel.objects.values_list("tags", "updated_ms").get()
    post(ours, f"{MLFLOW}registered-models/create", {"name": "copy"})
    made = post(ours, f"{MLFLOW}model-versions/create", {"name": "copy", "source": "models:/shared/1"})["model_version"]
    assert "model_id" not in made
    assert not made.get("run_id")
    assert LoggedModel.objects.values_list("tags", "updated_ms").get() == before
    assert not Edge.objects.filter(to_version__artifact__name="copy").exists()


def test_a_name_out_of_a_projects_sight_is_not_noted_on_its_logged_model(
    acme: Tenant, api: Api, things: Things
) -> None:
    wide = api(acme, "contributor")
    Artifact.objects.create(name="ours-alone", project=things.mine, created_ms=1, updated_ms=1)
    body = {"name": "ours-alone", "source": f"models:/{things.ids['model_id']}"}
    post(wide, f"{MLFLOW}model-versions/create", body)
    assert "ours-alone" not in str(LoggedModel.objects.get().tags)
    assert Edge.objects.filter(to_version__artifact__name="ours-alone", kind="registered").exists()


def test_a_projects_usages_name_what_the_reader_sees(acme: Tenant, api: Api, things: Things, ours: Client) -> None:
    version = ArtifactVersion.objects.get(artifact__name=things.ids["artifact"])
    Usage.objects.create(version=version, project=things.mine, observed="api", at=AT)
    wide = api(acme, "viewer").get("/api/v1/projects/proj-a/usages/").json()["results"]
    assert [row["artifact"] for row in wide] == [things.ids["artifact"]]
    assert ours.get("/api/v1/projects/proj-a/usages/").json()["results"] == []


@pytest.mark.parametrize("is_stored", [True, False])
def test_advice_names_what_the_reader_sees(
    acme: Tenant, api: Api, things: Things, ours: Client, is_stored: bool
) -> None:
    training = Training.objects.create(why="test", state=Training.State.DONE)
    figures = {"classes": {things.mine.problem_class: 9}}
    kind = {"target": "impact", "unit": "project", "state": "champion", "figures": figures}
    model = ImpactModel.objects.create(training=training, **kind)
    artifact = Artifact.objects.get(name=things.ids["artifact"])
    numbers = {"status": "ok", "low": 1.0, "high": 3.0, "n_projects": 9}
    ImpactScore.objects.create(model=model, artifact=artifact, effect=2.0, n_used=5, n_unused=5, **numbers)
    if is_stored:
        fields = {"rank": 1, "basis": "impact", "gain": 2.0, "made_at": AT} | numbers
        Advice.objects.create(model=model, project=things.mine, artifact=artifact, **fields)
    assert [item.artifact_name for item in advice.advice_for(things.mine, reach=None).items] == [artifact.name]
    said = ours.get("/api/v1/projects/proj-a/advice/")
    assert (said.status_code, said.json()["items"]) == (200, [])
    person = person_in({things.mine: "admin"})
    page = Client(headers={"host": "acme.localhost"})
    page.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    card = page.get(f"/admin/tracking/project/{things.mine.pk}/change/").content.decode()
    assert "What to try next" in card
    assert MARK not in card
    assert MARK in api(acme, "viewer").get("/api/v1/projects/proj-a/advice/").content.decode()


def test_an_export_leaves_out_what_has_left_the_askers_projects(
    acme: Tenant, things: Things, ours: Client, own_run: dict[str, Any]
) -> None:
    made = send(ours, "post", "/api/v1/runs/exports/", {"format": "jsonl"})
    assert made.status_code == 202, made.content
    question = Export.objects.get().question
    assert orders.wanted_of(question).experiments == [int(own_run["experiment_id"])]
    Experiment.objects.filter(pk=own_run["experiment_id"]).update(project=things.theirs)
    assert orders.wanted_of(question).experiments == []
    assert orders.wanted_of(question | {"projects": None}).experiments == [int(own_run["experiment_id"])]


def test_a_project_with_artifacts_of_its_own_is_not_deleted_from_under_them(acme: Tenant) -> None:
    """Without a project an artifact is everybody's, so a deletion must not take the project away (R46)."""
    project = Project.objects.create(slug="leaving", name="leaving")
    Artifact.objects.create(name="private", project=project, created_ms=1, updated_ms=1)
    with pytest.raises(ProtectedError):
        project.delete()
    assert Artifact.objects.get(name="private").project_id == project.pk


def test_no_deletion_writes_a_null_where_a_project_stood() -> None:
    links = [
        field for model in apps.get_models() for field in model._meta.get_fields() if field.related_model is Project
    ]
    written = [field for field in links if isinstance(field, ForeignKey)]
    assert len(written) > 5
    assert [str(field) for field in written if field.remote_field.on_delete not in (CASCADE, PROTECT)] == []
