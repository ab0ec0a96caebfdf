"""Case folders in, one row per answer out, through the functions that serve tenants."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from apps.recommendations.cases.backtest import HEADER, list_cases, run_cases
from apps.recommendations.estimators.impact import estimate_impact
from tests.factories.simulated import tenant


def write(path: Path, header: list[str], rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def write_task(folder: Path, **task: object) -> None:
    (folder / "task.json").write_text(json.dumps({"target": "success", "unit": "points 0-100", "level": 0.9, **task}))


@pytest.fixture
def cases(tmp_path: Path) -> Path:
    draw = np.random.default_rng(1)
    few = tmp_path / "cases" / "impact-few"
    write(few / "projects.csv", ["project_id", "team_size", "success"], [[f"p{i}", i % 5, 50 + i] for i in range(30)])
    write(few / "usages.csv", ["project_id", "artifact_id"], [[f"p{i}", "a"] for i in range(0, 30, 2)])
    write(few / "artifacts.csv", ["artifact_id", "type"], [["a", "model"], ["b", "model"]])
    write_task(few)
    effort = tmp_path / "cases" / "predict-effort"
    size = np.exp(draw.normal(3, 1, 50))
    rows = [[f"r{i}", value, 10 * value * np.exp(draw.normal(0, 0.2))] for i, value in enumerate(size)]
    write(effort / "train.csv", ["id", "size", "effort"], rows[:40])
    write(effort / "test.csv", ["row_id", "id", "size"], [[f"q{i}", *row[:2]] for i, row in enumerate(rows[40:])])
    write_task(effort, target="effort", unit="person-hours", group=None, level=0.8)
    advice = tmp_path / "cases" / "reco-small"
    write(advice / "projects.csv", ["project_id"], [[f"p{i}"] for i in range(8)])
    write(
        advice / "artifacts.csv",
        ["artifact_id", "family", "params"],
        [[f"a{k}", "f", f'{{"k": {k}}}'] for k in range(6)],
    )
    write(
        advice / "usages.csv",
        ["project_id", "artifact_id", "success"],
        [[f"p{i}", f"a{k}", 10 * k + i] for i in range(7) for k in range(6)],
    )
    write(advice / "queries.csv", ["project_id"], [["p7"]])
    return tmp_path


def answers(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_every_case_is_answered(cases: Path, tmp_path: Path) -> None:
    told: list[str] = []
    assert run_cases(cases, tmp_path / "out.csv", lambda number, of, name: told.append(f"{number}/{of} {name}")) == 3
    rows = answers(tmp_path / "out.csv")
    assert tuple(rows[0]) == HEADER
    assert told == ["1/3 impact-few", "2/3 predict-effort", "3/3 reco-small"]
    effects = [row for row in rows if row["case_id"] == "impact-few"]
    assert [(row["artifact_id"], row["value"], row["status"]) for row in effects] == [
        ("a", "", "refused"),
        ("b", "", "refused"),
    ]
    for row in [row for row in rows if row["case_id"] == "predict-effort"]:
        assert float(row["lo"]) <= float(row["value"]) <= float(row["hi"])
    ranked = [row["artifact_id"] for row in rows if row["case_id"] == "reco-small"]
    assert ranked == ["a5", "a4", "a3", "a2", "a1", "a0"]


def test_the_numbers_are_those_that_tenants_see(tmp_path: Path) -> None:
    made = tenant(120, 3, seed=1).data
    case = tmp_path / "impact-x"
    covariates = [[column[row] for column in made.covariates.columns.values()] for row in range(120)]
    write(
        case / "projects.csv",
        ["project_id", *made.covariates.names, "success"],
        [[key, *covariates[row], made.outcome[row]] for row, key in enumerate(made.keys)],
    )
    write(
        case / "usages.csv",
        ["project_id", "artifact_id"],
        [[made.keys[row], made.artifacts[k]] for row, k in np.argwhere(made.usage > 0).tolist()],
    )
    write(case / "artifacts.csv", ["artifact_id"], [[name] for name in made.artifacts])
    write_task(case)
    run_cases(tmp_path, tmp_path / "out.csv")
    expected = [effect.effect for effect in estimate_impact(made).effects]
    assert [float(row["value"]) for row in answers(tmp_path / "out.csv")] == pytest.approx(expected)


def test_one_kind_can_be_asked_for(cases: Path) -> None:
    assert [path.name for path in list_cases(cases, only="predict")] == ["predict-effort"]


def test_the_command_answers_and_tells(cases: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("backtest", cases=cases, output=tmp_path / "out.csv", only="reco")
    shown = capsys.readouterr()
    assert "answered 1 cases" in shown.out
    assert "[1/1] reco-small" in shown.err


def test_the_command_refuses_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="is not a folder"):
        call_command("backtest", cases=tmp_path / "nowhere", output=tmp_path / "out.csv")
