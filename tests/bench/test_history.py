"""The history's pure parts: which artifacts a run uses, what a table tells, what counts as success."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench.history.bundles import BY_NAME, PIECES, applicable, draw_bundles, settings_of
from bench.history.fitting import measure, resampled, splits
from bench.history.make_history import done_before, head_of, outcome, write_history
from bench.history.scoring import changed, restored
from bench.history.sources import Source
from bench.history.tables import Choice, Table, UnusableError, clean, describe_target, prepare

KINDS = {"feature_pipeline", "model_template", "schema", "notebook", "dataset", "model"}
EVERYTHING = {"categories", "holes", "classes", "numbers"}


def source_of(table: pd.DataFrame) -> Source:
    return Source("made", "1", "table", lambda: table)


def rows(n: int = 120) -> pd.DataFrame:
    chance = np.random.default_rng(3)
    size = chance.normal(size=n)
    colour = chance.choice(["red", "blue"], n)
    return pd.DataFrame(
        {
            "size": size,
            "colour": colour,
            "same": 1.0,
            "price": 2 * size + (colour == "red") + chance.normal(scale=0.1, size=n),
        }
    )


@pytest.fixture
def table() -> Table:
    return prepare(source_of(rows()), Choice("made", "table", "price", ()), 1)


def test_artifacts_are_many_and_each_kind_is_one_that_the_registry_knows() -> None:
    assert len(PIECES) >= 12
    assert {one.kind for one in PIECES} <= KINDS
    assert len(BY_NAME) == len(PIECES)


def test_the_same_seed_draws_the_same_bundles_and_another_seed_others() -> None:
    first = draw_bundles("a-project", EVERYTHING, 10, 1)
    assert first == draw_bundles("a-project", EVERYTHING, 10, 1)
    assert first != draw_bundles("a-project", EVERYTHING, 10, 2)


def test_no_two_runs_of_a_project_use_the_same_bundle() -> None:
    bundles = draw_bundles("a-project", EVERYTHING, 10, 1)
    assert len(set(bundles)) == len(bundles) == 10


def test_an_artifact_that_cannot_act_is_never_drawn() -> None:
    names = {one.name for one in applicable({"numbers"})}
    assert not names & {"encode-onehot", "impute-median", "resample-weights"}
    for seed in range(20):
        drawn = {use.name for bundle in draw_bundles("plain", {"numbers"}, 10, seed) for use in bundle}
        assert drawn <= names


def test_every_artifact_is_used_by_some_projects_and_not_by_others() -> None:
    users = {one.name: 0 for one in PIECES}
    for number in range(60):
        for name in {use.name for bundle in draw_bundles(f"p{number}", EVERYTHING, 10, 5) for use in bundle}:
            users[name] += 1
    assert all(12 <= count <= 48 for count in users.values()), users


def test_settings_of_a_bundle_come_from_its_versions() -> None:
    bundle = next(b for b in draw_bundles("a-project", EVERYTHING, 10, 1) if b)
    assert settings_of(bundle) == {
        key: value for use in bundle for key, value in BY_NAME[use.name].versions[use.version - 1].items()
    }


def test_columns_that_say_nothing_or_restate_the_target_are_left_out() -> None:
    raw = rows()
    raw["log_price"] = np.exp(raw["price"])
    kept = clean(raw.drop(columns="price"), raw["price"])
    assert list(kept.columns) == ["size", "colour"]


def test_a_table_that_is_too_small_is_refused() -> None:
    with pytest.raises(UnusableError, match="30 rows"):
        prepare(source_of(rows(30)), Choice("made", "table", "price", ()), 1)


def test_facts_of_classes_are_their_balance() -> None:
    facts = describe_target(np.array(["yes"] * 30 + ["no"] * 10), "classification")
    assert facts["n_classes"] == 2
    assert facts["minority_share"] == 0.25
    assert facts["class_entropy"] == pytest.approx(0.8113, abs=1e-4)


def test_a_forecast_is_only_tested_on_later_rows() -> None:
    series = pd.DataFrame({"value": np.sin(np.arange(200) / 5.0)})
    table = prepare(source_of(series), Choice("made", "table", "value", ("series",)), 1)
    assert table.problem == "forecasting"
    assert all(train.max() < test.min() for train, test in splits(table, 1))


@pytest.mark.parametrize("one", [*PIECES, None], ids=lambda one: one.name if one else "nothing")
def test_each_artifact_alone_trains_and_measures(one: Any, table: Any) -> None:
    if one is not None and one.needs == "classes":
        target = np.array(["high" if value > 1 else "low" for value in table.target])
        table = Table("made", "classification", table.features, target, {}, {})
    settings = {} if one is None else one.versions[-1]
    measured = measure(table, {**settings, **({"rounds": 20} if "rounds" in settings else {})}, 1)
    assert all(math.isfinite(value) for value in measured.metrics.values())
    assert measured.metrics["skill"] > 0.3


def test_a_target_changed_for_training_is_restored_for_scoring() -> None:
    target = np.array([-50.0, 0.0, 3.0, 1000.0])
    assert restored(changed(target, {"target": "log"}), {"target": "log"}, 1000.0) == pytest.approx(target)


def test_rare_classes_are_repeated_up_to_half_of_the_largest(table: Any) -> None:
    target = np.array(["big"] * 100 + ["rare"] * 20)
    classes = Table("made", "classification", table.features, target, {}, {})
    picked = resampled(classes, {"resample": "copies"}, np.arange(120), 1)
    labels, counts = np.unique(target[picked], return_counts=True)
    assert dict(zip(labels, counts, strict=True)) == {"big": 100, "rare": 50}


@pytest.mark.parametrize(("skill", "success"), [(-0.4, 0.0), (0.25, 25.0), (1.0, 100.0)])
def test_success_is_the_best_runs_skill_within_0_and_100(skill: float, success: float) -> None:
    run = {"metrics": {"r2": skill, "skill": skill, "wall_seconds": 2.0, "cpu_seconds": 1.5}}
    worse = {"metrics": {"r2": skill - 1, "skill": skill - 1, "wall_seconds": 1.0, "cpu_seconds": 0.5}}
    found = outcome([worse, run], "r2")
    assert found == {
        "success": success,
        "model_performance": skill,
        "duration_seconds": 3.0,
        "cost_cpu_seconds": 2.0,
    }


def test_a_working_file_cut_short_loses_only_its_last_line(tmp_path: Path) -> None:
    file = tmp_path / "working.jsonl"
    file.write_text('{"project": "whole", "runs": []}\n{"project": "cut", "ru')
    assert list(done_before(file)) == ["whole"]


def test_the_same_lines_make_the_same_bytes(tmp_path: Path) -> None:
    lines = [head_of(20), {"project": "a"}]
    write_history(lines, tmp_path / "one.gz")
    write_history(lines, tmp_path / "two.gz")
    assert (tmp_path / "one.gz").read_bytes() == (tmp_path / "two.gz").read_bytes()
