"""Charts: what the options carry, what the twin says, and that nothing unsafe or endless gets in."""

import json
import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maestro import charts

EFFECTS = [
    charts.Effect("smote", -2.0, -3.0, -1.0, -2.5, 40),
    charts.Effect("target-encoder", 3.0, 1.0, 5.0, 6.0, 60, url="/admin/a/"),
    charts.Effect("knn-imputer", 0.5, -1.0, 2.0, None, 12, is_early=True),
]


def points(values: list[float]) -> list[charts.Point]:
    return [charts.Point(step, value, step / 2) for step, value in enumerate(values)]


def every_chart() -> list[charts.Chart]:
    """One chart of each kind."""
    return [
        charts.curves("loss", [charts.Curve("a", points([1.0, 0.5, math.nan])), charts.Curve("b", points([]))]),
        charts.forest("Impact", EFFECTS, "success points"),
        charts.intervals("Forecast", [("success", 40.0, 60.0, 80.0, None)], "points"),
        charts.contributions("Why", [("effort", 2.0), ("complexity", -4.0)], "points"),
        charts.scatter("AUC", [("r1", 0.1, math.inf)], x="lr", y="auc"),
        charts.calibration("Calibration", [(0.5, 0.44, 80)]),
        charts.parallel("Params", ["lr", "kind"], [("r1", (0.1, "gbdt")), ("r2", (None, "dart"))], 0),
        charts.lineage("Lineage", [charts.Node("a", "data", "dataset", 0, 0)], []),
        charts.timeline("Runs", [("runs", 1_700_000_000_000, 3)], ["runs"]),
    ]


@pytest.mark.parametrize("chart", every_chart(), ids=lambda chart: f"{chart.kind}-{chart.title}")
def test_options_are_strict_json_and_say_what_they_show(chart: charts.Chart) -> None:
    json.dumps(chart.options, allow_nan=False)
    assert chart.summary.endswith(".")
    assert chart.options["series"]


@pytest.mark.parametrize("chart", every_chart(), ids=lambda chart: f"{chart.kind}-{chart.title}")
def test_rows_of_the_twin_are_as_wide_as_its_columns(chart: charts.Chart) -> None:
    assert all(len(row) == len(chart.columns) for row in chart.rows)


def test_a_short_curve_keeps_every_point() -> None:
    line = points([3.0, 1.0, 2.0])
    assert charts.thin(line, 2000) == line


def test_a_long_curve_keeps_its_one_spike_its_first_and_its_last_point() -> None:
    values = [1.0] * 100_000
    values[54_321] = 99.0
    kept = charts.thin(points(values))
    assert len(kept) <= charts.MAX_POINTS
    assert charts.Point(54_321, 99.0, 54_321 / 2) in kept
    assert (kept[0].step, kept[-1].step) == (0, 99_999)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.floats(width=32), min_size=1, max_size=400), st.integers(4, 60))
def test_thinning_keeps_order_extremes_and_the_limit(values: list[float], limit: int) -> None:
    kept = charts.thin(points(values), limit)
    finite = [value for value in values if not math.isnan(value)]
    assert len(kept) <= max(limit, 4)
    assert [point.step for point in kept] == sorted({point.step for point in kept})
    if finite:
        shown = [point.value for point in kept if not math.isnan(point.value)]
        assert (min(shown), max(shown)) == (min(finite), max(finite))


def test_a_gap_in_a_curve_stays_a_gap() -> None:
    chart = charts.curves("loss", [charts.Curve("a", points([1.0, math.nan, math.inf]))])
    assert chart.options["series"][0]["data"] == [[0, 1.0, 0.0], [1, None, 0.5], [2, None, 1.0]]


def test_each_line_of_nine_differs_in_colour_or_dash() -> None:
    lines = [charts.Curve(f"run {index}", points([1.0, 2.0])) for index in range(9)]
    looks = {(s["lineStyle"]["color"], s["lineStyle"]["type"]) for s in charts.curves("loss", lines).options["series"]}
    assert len(looks) == 9


def test_a_forest_plot_draws_the_best_on_top_and_lists_it_first() -> None:
    chart = charts.forest("Impact", EFFECTS, "success points")
    assert chart.options["yAxis"]["data"] == ["smote", "knn-imputer", "target-encoder"]
    assert chart.rows[0] == ("target-encoder", 3.0, 1.0, 5.0, 6.0, 60, "full")
    assert chart.rows[1][-1] == "early"


def test_a_forest_plot_colours_only_what_is_clear_of_zero() -> None:
    marks = charts.forest("Impact", EFFECTS, "points").options["series"][1]["data"]
    assert [mark["itemStyle"]["color"] for mark in marks] == ["token:bad", "token:muted", "token:good"]


def test_the_raw_difference_is_left_out_where_it_is_unknown() -> None:
    raws = charts.forest("Impact", EFFECTS, "points").options["series"][2]["data"]
    assert raws == [[-2.5, 0], [6.0, 2]]


def test_contributions_are_ranked_by_size_and_signed() -> None:
    chart = charts.contributions("Why", [("a", 1.0), ("b", -5.0), ("c", 3.0)], "points")
    assert [name for name, _ in chart.rows] == ["b", "c", "a"]
    assert chart.options["series"][0]["data"][-1]["itemStyle"]["color"] == "token:bad"


def test_text_becomes_a_category_axis_and_numbers_stay_numbers() -> None:
    chart = charts.parallel("P", ["lr", "kind"], [("r1", (0.1, "gbdt")), ("r2", (0.2, "dart"))], 0)
    numeric, words = chart.options["parallelAxis"]
    assert "type" not in numeric
    assert words["data"] == ["dart", "gbdt"]
    assert (chart.options["visualMap"]["min"], chart.options["visualMap"]["max"]) == (0.1, 0.2)


def test_a_lineage_of_three_layers_asks_for_room() -> None:
    nodes = [charts.Node(str(index), f"n{index}", "run", index, 0) for index in range(3)]
    chart = charts.lineage("L", nodes, [("0", "1", "used by"), ("1", "2", "produced")])
    assert chart.min_width_px > 3 * 168
    assert chart.rows == (("n0", "used by", "n1"), ("n1", "produced", "n2"))


def test_a_long_label_is_cut_in_its_middle_and_kept_as_the_name() -> None:
    label = "pydataset-car-cylinders-of-1993-run-07"
    (box,) = charts.lineage("L", [charts.Node("a", label, "run", 0, 0)], []).options["series"][1]["data"]
    assert (box["name"], box["value"][2]) == (label, "pydataset-ca…1993-run-07")
    assert len(box["value"][2]) == 24


def test_noise_of_20000_points_is_cut_to_the_limit() -> None:
    kept = charts.thin(points([math.sin(step * step) for step in range(20_000)]))
    assert 1_000 < len(kept) <= charts.MAX_POINTS
