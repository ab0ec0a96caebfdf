"""What a real mlflow 3.17.2 wrote, as a folder and as a SQLite file, comes over whole; a second time changes nothing."""

import math
from pathlib import Path

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.registry.models import Alias, Artifact, ArtifactVersion, Edge, LoggedModel
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.metrics import history
from apps.tracking.models import Assessment, Experiment, ModelMetric, Project, Run, RunFile, RunInput, RunModel, Trace
from apps.tracking.traces import spans
from tests.registry.imports.conftest import Run as Command

SOURCES = ["mlruns", "sqlite/mlflow.db"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_store_comes_over_whole(acme: Tenant, kept: Path, command: Command, source: str) -> None:
    told, code = command("import_mlflow", kept / source, "--tenant", "acme")
    assert (told["left"], told["differences"], told["mapped"], code) == ([], [], [], 0)
    counts = {kind: (tally["source"], tally["here"], tally["new"]) for kind, tally in told["kinds"].items()}
    assert {kind: new for kind, (_, _, new) in counts.items() if kind != "point"} == {
        "experiment": 3,
        "run": 9,
        "logged model": 1,
        "trace": 2,
        "registered model": 3,
        "version": 3,
    }
    assert counts["point"][:2] == (60, 60)
    assert all(tally["source_sha256"] == tally["here_sha256"] for tally in told["kinds"].values())
    look_at_runs(is_sql="sqlite" in source)
    look_at_models()
    look_at_traces()


def look_at_runs(*, is_sql: bool) -> None:
    home = Experiment.objects.get(name="churn model")
    assert {tag.key: tag.value for tag in home.tags.all()}["mlflow.note.content"] == "# Churn\nä tab\t"
    assert Experiment.objects.get(name="gone").deleted_ms is not None
    parent = Run.objects.get(name="parent")
    params = {param.key: param.value for param in parent.params.all()}
    assert params == {"lr": "0.1", "text": "tab\tnew\nline 😀", "empty": "", "long": "x" * 5000, "a/b.c": "1"}
    tags = {tag.key: tag.value for tag in parent.tags.all()}
    assert (tags["team"], tags["text"]) == ("blue", "a: b\n- c\t'\"ü 😀")
    assert Run.objects.get(name="child").tags.get(key="mlflow.parentRunId").value == parent.pk.hex
    points, _ = history.page(parent.pk, "loss")
    assert (points.steps.tolist(), points.values.tolist()) == (list(range(50)), [1 / (i + 1) for i in range(50)])
    odd, _ = history.page(parent.pk, "odd")
    infinity = 1.7976931348623157e308 if is_sql else math.inf  # which is how mlflow stores it
    assert math.isnan(odd.values[0])
    assert odd.values.tolist()[1:] == [infinity, -infinity, 1e-320, 0.1]
    assert parent.latest.get(key__name="a/b metric").value == 2.5
    files = {row.path: b"".join(blobs.read(row.blob)) for row in RunFile.objects.filter(run=parent)}
    assert files["out/deep/ünï 95%_ci.txt"] == b"x\n"
    assert files["data.bin"] == bytes(range(256)) * 8
    statuses = dict(Run.objects.values_list("name", "status"))
    assert (statuses["failed"], statuses["running"], statuses["parent"]) == ("FAILED", "RUNNING", "FINISHED")
    assert Run.objects.get(name="trashed").deleted_ms is not None
    read = RunInput.objects.select_related("dataset").get(run__name="reads")
    assert (read.dataset.name, read.tags) == ("table", [{"key": "mlflow.data.context", "value": "training"}])


def look_at_models() -> None:
    model = LoggedModel.objects.get(name="double")
    assert (model.params, model.tags["k"], model.status) == ({"depth": "3"}, "v", "LOGGED_MODEL_READY")
    assert sorted(model.files.values_list("path", flat=True)) == ["MLmodel", "weights/w.bin"]
    assert ModelMetric.objects.get(model_id=model.model_id).value == 0.91
    assert RunModel.objects.get(run__name="trains", direction="output").step == 7
    churn = Artifact.objects.get(name="churn")
    assert (churn.kind, churn.description, churn.next_number) == ("model", "Churn\n*model*", 4)
    first, third = ArtifactVersion.objects.filter(artifact=churn).order_by("number")
    assert (first.number, first.stage, first.description, first.logged_model) == (1, "Production", "first", model)
    assert (third.number, third.run.name) == (3, "trains")
    paths = [sorted(version.files.values_list("path", flat=True)) for version in (first, third)]
    assert paths == [["MLmodel", "weights/w.bin"]] * 2
    assert Alias.objects.get(artifact=churn).version == first
    assert Edge.objects.filter(from_model=model, to_version=first, kind="registered").exists()
    assert Artifact.objects.get(name="ask").tags.get(key="mlflow.prompt.is_prompt").value == "true"


def look_at_traces() -> None:
    of_run = Trace.objects.get(run_ids=[Run.objects.get(name="traced").pk.hex])
    assert of_run.request_preview == '{"question": "one"}'
    other = Trace.objects.exclude(pk=of_run.pk).get()
    assert other.tags["seen"] == "yes"
    said = {one.name: (one.kind, one.value, one.rationale) for one in Assessment.objects.filter(trace=other)}
    assert said == {"good": ("feedback", True, "why"), "answer": ("expectation", {"a": [1]}, "")}
    assert sorted(span["name"] for span in spans.load(other)) == ["ask", "inner"]


@pytest.mark.parametrize("source", SOURCES)
def test_a_second_time_adds_nothing_and_reads_no_file_again(
    acme: Tenant, kept: Path, command: Command, source: str
) -> None:
    first, _ = command("import_mlflow", kept / source, "--tenant", "acme")
    before = AuditEvent.objects.count()
    told, code = command("import_mlflow", kept / source, "--tenant", "acme")
    assert (code, sum(tally["new"] for tally in told["kinds"].values())) == (0, 0)
    assert AuditEvent.objects.count() == before
    counts = [{kind: tally["here"] for kind, tally in one["kinds"].items()} for one in (first, told)]
    assert counts[0] == counts[1]


def test_a_second_time_adds_what_a_run_logged_since(acme: Tenant, kept: Path, command: Command) -> None:
    command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    run = Run.objects.get(name="running")
    folder = next((kept / "mlruns").glob(f"*/{run.pk.hex}"))
    with (folder / "metrics" / "loss").open("a") as file:
        file.write("1700000000001 2.5 2\n1700000000002 nan 3\n")
    (folder / "params" / "late").write_text("1")
    (folder / "artifacts").mkdir(exist_ok=True)
    (folder / "artifacts" / "late.txt").write_text("late")
    meta = (folder / "meta.yaml").read_text()
    (folder / "meta.yaml").write_text(
        meta.replace("end_time: null", "end_time: 1796052590000").replace("status: 1", "status: 3")
    )
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert (told["differences"], code) == ([], 0)
    run.refresh_from_db()
    assert (run.status, run.end_ms) == ("FINISHED", 1796052590000)
    points, _ = history.page(run.pk, "loss")
    assert points.steps.tolist() == [1, 2, 3]
    assert run.params.get(key="late").value == "1"
    assert run.files.get().path == "late.txt"


def test_a_dry_run_counts_and_writes_nothing(acme: Tenant, kept: Path, command: Command) -> None:
    told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme", "--dry-run")
    assert (code, told["kinds"]["run"]["new"], told["kinds"]["version"]["new"]) == (0, 9, 3)
    assert not Run.objects.exists()
    assert not Artifact.objects.exists()
    command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    told, _ = command("import_mlflow", kept / "mlruns", "--tenant", "acme", "--dry-run")
    assert {tally["new"] for tally in told["kinds"].values()} == {0}


def test_one_experiment_goes_into_a_project(acme: Tenant, kept: Path, command: Command) -> None:
    project = Project.objects.create(slug="churn", name="Churn")
    where = ("--tenant", "acme", "--project", "churn", "--experiment", "churn model")
    told, code = command("import_mlflow", kept / "mlruns", *where)
    assert (code, told["kinds"]["experiment"]["new"]) == (0, 1)
    assert Experiment.objects.get(name="churn model").project == project
    assert not Artifact.objects.exists()
    told, code = command("import_mlflow", kept / "mlruns", *where[:-1], "nowhere")
    assert (code, told["refused"]) == (4, "the source has no experiment nowhere")


def test_ids_that_others_have_are_mapped(acme: Tenant, kept: Path, command: Command) -> None:
    """The same store under another name: its names and ids are taken, so it gets new ones, always the same."""
    command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    ids = set(Run.objects.values_list("pk", flat=True))
    for new in (9, 0):
        told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme", "--source-name", "copy")
        assert (told["differences"], code, told["kinds"]["run"]["new"]) == ([], 0, new)
    assert len(set(Run.objects.values_list("pk", flat=True)) - ids) == 9
    home = Experiment.objects.get(name="churn model (imported)")
    assert "maestro.import.id" in {tag.key for tag in home.tags.all()}
    child = Run.objects.get(name="child", experiment=home)
    assert child.tags.get(key="mlflow.parentRunId").value == Run.objects.get(name="parent", experiment=home).pk.hex
    assert sorted(Artifact.objects.values_list("name", flat=True)) == [
        "ask",
        "ask (imported)",
        "churn",
        "churn (imported)",
        "empty",
        "empty (imported)",
    ]
    assert any("churn model is churn model (imported) here" in line for line in told["mapped"])


def test_another_tenant_sees_nothing_of_it(acme: Tenant, globex: Tenant, kept: Path, command: Command) -> None:
    command("import_mlflow", kept / "mlruns", "--tenant", "acme")
    assert not Run.objects.exists()
    assert command("import_mlflow", kept / "mlruns", "--tenant", "nobody")[1] == 4


def test_many_runs_cost_few_statements(acme: Tenant, kept: Path, command: Command) -> None:
    """Runs come by batches, not call by call."""
    home = next((kept / "mlruns").glob("8*"))
    text = (home / "meta.yaml").read_text()
    for number in range(150):
        run = f"{number:032x}"
        folder = home / run
        for part in ("metrics", "params", "tags"):
            (folder / part).mkdir(parents=True)
        (folder / "metrics" / "loss").write_text("".join(f"{i + 1} {i / 7} {i}\n" for i in range(20)))
        (folder / "params" / "lr").write_text(str(number))
        (folder / "meta.yaml").write_text(
            f"run_id: '{run}'\nrun_name: r{number}\nstatus: 3\nstart_time: 1\nend_time: 2\nlifecycle_stage: active\n"
        )
    assert text
    with CaptureQueriesContext(connection) as asked:
        told, code = command("import_mlflow", kept / "mlruns", "--tenant", "acme", "--experiment", "churn model")
    assert (code, told["kinds"]["run"]["new"], told["kinds"]["point"]["here"]) == (0, 158, 3_059)
    assert len(asked) < 400
