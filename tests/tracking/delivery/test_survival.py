"""Kaplan and Meier's estimate, against a library that has it too, and where nothing or everything is still open."""

import math
import random
import warnings

import pytest
from scipy import stats

from apps.tracking.delivery.survival import curve, survival


@pytest.mark.parametrize("seed", range(20))
def test_the_curve_and_its_interval_are_scipy_s(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 data, not a secret
    spans = [(round(chance.expovariate(1 / 50), chance.choice((0, 3))), chance.random() < 0.7) for _ in range(60)]
    censored = stats.CensoredData.right_censored([time for time, _ in spans], [not ended for _, ended in spans])
    known = stats.ecdf(censored).sf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # at the end, where all has ended, there is no interval
        bounds = known.confidence_interval(method="log-log")
    steps = list(curve(spans))
    assert steps
    for time, open_share, low, high in steps:
        at = list(known.quantiles).index(time)
        assert open_share == pytest.approx(known.probabilities[at], abs=1e-12)
        if 0 < open_share < 1:
            assert low == pytest.approx(bounds.low.probabilities[at], abs=1e-9)
            assert high == pytest.approx(bounds.high.probabilities[at], abs=1e-9)


def test_what_is_still_open_makes_the_median_longer() -> None:
    ended = [(float(days), True) for days in (1, 2, 3, 4, 5)]
    still = [(10.0, False)] * 4
    assert survival(ended).median == 3
    found = survival(ended + still)
    assert (found.n, found.open_n, found.median, found.p90) == (9, 4, 5, None)
    assert found.low is not None
    assert found.high is None


def test_nothing_and_only_open_ones_have_no_median() -> None:
    assert survival([]).n == 0
    found = survival([(3.0, False)] * 6)
    assert (found.n, found.open_n, found.median) == (6, 6, None)
    assert all(not math.isnan(value) for step in curve([(1.0, True)]) for value in step)
