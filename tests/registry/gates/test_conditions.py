"""What a gate asks of a version: metrics against numbers and baselines, files, sections, signatures, the age of its run."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from apps.registry.gates import bounds
from apps.registry.gates.bounds import Bound, read_line
from apps.registry.gates.conditions import Outcome, is_ready, judge, sections_of
from apps.registry.models import Alias, Artifact, ArtifactVersion, Gate, LoggedModel, Target, VersionFile
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import Dataset, Experiment, LatestMetric, MetricKey, ModelMetric, Run, RunInput
from maestro.clock import to_ms
from maestro.errors import Invalid

AT = datetime(2026, 6, 1, tzinfo=UTC)
SERVING = Target("alias", "serving")


@pytest.fixture
def artifact(acme: Tenant) -> Artifact:
    return Artifact.objects.create(name="churn", kind="model", created_ms=1, updated_ms=1)


def a_version(artifact: Artifact, number: int = 1, **facts: Any) -> ArtifactVersion:
    times = {"created_ms": 1, "updated_ms": 1}
    made = ArtifactVersion.objects.create(artifact=artifact, number=number, state="ready", **times, **facts)
    return made


def a_run(hours_ago: float = 1, **facts: Any) -> Run:
    ended = to_ms(AT - timedelta(hours=hours_ago))
    told: dict[str, Any] = {"status": "FINISHED", "end_ms": ended} | facts
    return Run.objects.create(experiment=Experiment.objects.get(pk=0), name="r", start_ms=1, last_write_ms=1, **told)


def logged(run: Run, value: float, key: str = "auc") -> Run:
    name, _ = MetricKey.objects.get_or_create(name=key)
    LatestMetric.objects.create(run=run, experiment=run.experiment, key=name, step=0, timestamp_ms=1, value=value)
    return run


def read(run: Run, name: str, digest: str, context: str = "eval") -> None:
    where: dict[str, Any] = {"experiment": run.experiment, "name": name, "digest": digest}
    dataset, _ = Dataset.objects.get_or_create(**where)
    RunInput.objects.create(run=run, dataset=dataset, tags={"mlflow.data.context": context})


def of_model(artifact: Artifact, number: int, *figures: tuple[float, str, str]) -> ArtifactVersion:
    """A version of a logged model that was measured: value, dataset, digest."""
    run = a_run()
    model = LoggedModel.objects.create(experiment=run.experiment, run=run, name="m", created_ms=1, updated_ms=1)
    for value, dataset, digest in figures:
        told = {"key": "auc", "dataset_name": dataset, "dataset_digest": digest, "step": 0, "timestamp_ms": 1}
        ModelMetric.objects.create(run=run, model_id=model.model_id, value=value, **told)
    return a_version(artifact, number, logged_model=model)


def outcome(version: ArtifactVersion, *, target: Target = SERVING, **asks: Any) -> Outcome:
    """What comes of the one condition that a gate asks."""
    if isinstance(asks.get("metrics"), str):
        asks["metrics"] = [bounds.as_json(read_line(asks["metrics"]))]
    (found,) = judge(Gate(name="Gate", **asks), version, target, AT)
    return found


def test_a_metric_is_compared_with_a_number_and_the_words_tell_both(artifact: Artifact) -> None:
    version = a_version(artifact, run=logged(a_run(), 0.81))
    good, bad = outcome(version, metrics="auc >= 0.8"), outcome(version, metrics="auc >= 0.85")
    assert (good.is_met, bad.is_met) == (True, False)
    assert bad.text == "auc is 0.81; at least 0.85 is asked for"
    assert outcome(version, metrics="auc <= 0.9").is_met
    unknown = outcome(version, metrics="f1 >= 0.1")
    assert (unknown.is_met, unknown.text) == (False, "no f1 is known of this version")


def test_figures_that_differ_are_told_as_different(artifact: Artifact) -> None:
    version = a_version(artifact, run=logged(a_run(), 0.7999999999))
    found = outcome(version, metrics=[{"metric": "auc", "operator": ">=", "value": 0.8}])
    assert (found.is_met, found.text) == (False, "auc is 0.7999999999; at least 0.8 is asked for")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_number_is_told_as_text_and_nan_holds_nothing(artifact: Artifact, value: float) -> None:
    version = a_version(artifact, run=logged(a_run(), value))
    found = outcome(version, metrics="auc >= 0.5")
    assert found.is_met is (value == float("inf"))
    assert found.facts["measured"][0]["value"] == str(value)
    assert outcome(version, metrics="auc <= 0.5").is_met is (value == float("-inf"))


def test_a_baseline_counts_on_the_same_dataset_only(artifact: Artifact) -> None:
    base = of_model(artifact, 1, (0.80, "holdout", "aa"), (0.95, "train", "tt"))
    Alias.objects.create(artifact=artifact, version=base, name="champion")
    better = of_model(artifact, 2, (0.82, "holdout", "aa"), (0.90, "train", "other"))
    found = outcome(better, metrics="auc >= @champion")
    assert found.is_met
    assert found.facts["baseline_version"] == "1"
    assert [row["dataset"] for row in found.facts["measured"]] == ["holdout"]
    elsewhere = of_model(artifact, 3, (0.99, "holdout", "bb"))
    refused = outcome(elsewhere, metrics="auc >= @champion on holdout")
    assert (refused.is_met, refused.text) == (False, "no auc of v1 (@champion) is known on the same dataset on holdout")
    worse = of_model(artifact, 4, (0.795, "holdout", "aa"))
    assert not outcome(worse, metrics="auc >= @champion").is_met
    assert outcome(worse, metrics="auc >= @champion - 0.01").is_met
    assert "at least 0.79, that of v1 (@champion), -0.01" in outcome(worse, metrics="auc >= @champion - 0.01").text


def test_a_run_s_figure_is_of_what_it_read_and_did_not_learn_from(artifact: Artifact) -> None:
    runs = [logged(a_run(), value) for value in (0.8, 0.9, 0.9)]
    for run, digest in zip(runs, ("aa", "aa", "bb"), strict=True):
        read(run, "holdout", digest)
        read(run, "rows", run.pk.hex[:8], "training")
    base, same, other = (a_version(artifact, number, run=run) for number, run in enumerate(runs, 1))
    Alias.objects.create(artifact=artifact, version=base, name="champion")
    for line in ("auc >= @champion", "auc >= @champion on holdout"):
        assert outcome(same, metrics=line).is_met
        assert not outcome(other, metrics=line).is_met
    assert not outcome(same, metrics="auc >= 0.1 on elsewhere").is_met


def test_the_first_has_nothing_to_be_worse_than_but_any_other_missing_baseline_fails(artifact: Artifact) -> None:
    version = a_version(artifact, run=logged(a_run(), 0.1))
    first = outcome(version, metrics="auc >= @serving")
    other = outcome(version, metrics="auc >= @champion")
    assert (first.is_met, other.is_met) == (True, False)
    assert other.text == "no version is @champion yet, so there is nothing to compare auc with"


def test_files_and_folders_are_looked_for(artifact: Artifact) -> None:
    version = a_version(artifact)
    for path in ("MLmodel", "eval/report.md"):
        VersionFile.objects.create(version=version, path=path, blob=blobs.store_text(path))
    assert outcome(version, files=["MLmodel", "eval/", "eval/report.md"]).is_met
    found = outcome(version, files=["MLmodel", "data/", "eval"])
    assert (found.is_met, found.facts["missing"]) == (False, ["data/", "eval"])


@pytest.mark.parametrize(
    ("card", "found"),
    [
        ("", set()),
        ("# Use\n\nFor letters.", {"use"}),
        ("# Use\n\n## Limits\nNone known.", {"limits"}),
        ("# Use", set()),
        ("# Use #\r\ntext\n#Not\nx", {"use"}),
        ("```\n# Use\ntext\n```\n", set()),
        ("Use\n===\ntext", set()),
    ],
)
def test_a_section_says_something_below_its_heading(card: str, found: set[str]) -> None:
    assert sections_of(card) == found


def test_a_card_s_sections_are_asked_for_in_any_case(artifact: Artifact) -> None:
    artifact.card = "## Intended Use\n\nLetters."
    version = a_version(artifact)
    assert outcome(version, sections=["intended use"]).is_met
    assert outcome(version, sections=["Limits"]).text == "the card says nothing under Limits"


@pytest.mark.parametrize(
    ("hours_ago", "facts", "is_met"),
    [
        (23, {}, True),
        (25, {}, False),
        (-1, {}, False),  # a client may say any time
        (1, {"status": "FAILED"}, False),
        (1, {"status": "RUNNING", "end_ms": None}, False),
    ],
)
def test_a_run_is_fresh(artifact: Artifact, hours_ago: float, facts: dict[str, Any], is_met: bool) -> None:
    version = a_version(artifact, run=a_run(hours_ago, **facts))
    assert outcome(version, max_run_age_hours=24).is_met is is_met


def test_a_version_without_a_run_or_a_signature_or_that_is_archived_fails(artifact: Artifact) -> None:
    version = a_version(artifact)
    assert outcome(version, max_run_age_hours=24).text == "no finished run that made it is known"
    assert not outcome(version, needs_signature=True).is_met
    assert is_ready(version).is_met
    version.state = "archived"
    assert not is_ready(version).is_met


@pytest.mark.parametrize(
    ("line", "bound"),
    [
        ("auc >= 0.8", Bound("auc", ">=", 0.8)),
        ("val/auc@5<=1e-3", Bound("val/auc@5", "<=", 0.001)),
        ("r 2 >= -.5 on the holdout", Bound("r 2", ">=", -0.5, dataset="the holdout")),
        ("auc >= @champion - 0.01 on holdout", Bound("auc", ">=", None, "champion", -0.01, "holdout")),
        ("rmse <= @champion+2", Bound("rmse", "<=", None, "champion", 2.0)),
    ],
)
def test_a_bound_is_read_as_people_write_it_and_written_back(line: str, bound: Bound) -> None:
    assert read_line(line) == bound
    assert read_line(str(bound)) == bound
    assert bounds.of_json(bounds.as_json(bound)) == bound


@pytest.mark.parametrize(
    "line",
    [
        "",
        "auc",
        "auc > 0.8",
        "auc >= ",
        "auc >= high",
        "auc >= ٣",
        "auc >= 1e999",
        ">= 1",
        "auc >= @a - 1e999",
        "auc == 1",
    ],
)
def test_what_is_no_bound_is_refused(line: str) -> None:
    with pytest.raises(Invalid):
        read_line(line)
