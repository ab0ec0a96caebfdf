"""Reading raw columns, and turning them into matrices."""

import json
from datetime import date

import numpy as np
import pytest

from apps.recommendations.estimators.features import Encoder, fit_encoder
from apps.recommendations.estimators.folds import capped_rows, deal_folds
from apps.recommendations.estimators.tables import table_from_columns, table_from_rows


def test_numbers_dates_text_and_parameters_are_told_apart() -> None:
    table = table_from_rows(
        [
            {"n": "3", "day": "1970-01-11", "kind": "a", "params": '{"depth": 2, "tree": {"x": 1}}', "flag": "true"},
            {"n": "", "day": date(1970, 1, 2), "kind": None, "params": "", "flag": "false"},
        ]
    )
    assert table.names == ("day", "flag", "kind", "n", "params.depth", "params.tree")
    assert table.columns["day"].tolist() == [10.0, 1.0]
    assert table.columns["flag"].tolist() == [1.0, 0.0]
    assert np.isnan(table.columns["n"][1])
    assert table.columns["params.depth"][0] == 2.0


def test_columns_that_say_nothing_are_left_out() -> None:
    rows = 40
    table = table_from_columns(
        {"same": [1] * rows, "none": [None] * rows, "id": [f"x{r}" for r in range(rows)], "use": list(range(rows))},
        rows=rows,
    )
    assert fit_encoder(table).linear_sources == ("use",)


def test_a_skewed_column_is_read_on_the_log_scale() -> None:
    size = np.exp(np.random.default_rng(0).normal(5, 2, 200))
    code = fit_encoder(table_from_columns({"size": size}, rows=200)).numbers[0]
    assert code.is_log


def test_missing_is_the_mean_beside_a_flag() -> None:
    table = table_from_columns({"size": [1.0, 2.0, None, 3.0]}, rows=4)
    linear = fit_encoder(table).linear(table)
    assert linear[2].tolist() == [0.0, 1.0]


def test_an_encoder_survives_json() -> None:
    table = table_from_columns({"size": [1.0, 2.0, 9.0, 3.0] * 5, "kind": ["a", "b", "b", None] * 5}, rows=20)
    encoder = fit_encoder(table)
    assert Encoder.from_json(json.loads(json.dumps(encoder.to_json()))) == encoder


def test_folds_keep_a_group_together_and_do_not_depend_on_order() -> None:
    groups = [f"team {row % 17}" for row in range(100)]
    folds = deal_folds(groups, 5, seed=1)
    assert {len({fold for fold, group in zip(folds, groups, strict=True) if group == g}) for g in groups} == {1}
    assert (deal_folds(groups[::-1], 5, seed=1)[::-1] == folds).all()
    assert np.bincount(folds).max() <= 30


@pytest.mark.parametrize("most", [10, 1000])
def test_a_cap_takes_as_many_rows_of_each_project_and_always_the_same(most: int) -> None:
    keys = [f"{row:03d}" for row in range(100)]
    groups = ["big" if row < 80 else "small" for row in range(100)]
    rows = capped_rows(keys, groups, np.ones(100, dtype=bool), most=most)
    assert len(rows) == min(most, 100)
    assert (rows == capped_rows(keys, groups, np.ones(100, dtype=bool), most=most)).all()
