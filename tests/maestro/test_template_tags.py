"""How pages write numbers, sizes and times."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from maestro.templatetags import maestro as tags


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.93185432, "0.9319"),
        (0, "0"),
        (12345, "12,345"),
        (12345.678, "12,346"),
        (1.5, "1.500"),
        (-0.25, "−0.2500"),
        (3.2e-9, "3.200e−9"),
        (1.23456e12 + 0.5, "1.235e12"),
        (math.nan, "NaN"),
        (-math.inf, "−∞"),
        (None, "–"),
        ("gbdt", "gbdt"),
    ],
)
def test_numbers_have_four_significant_digits(value: Any, text: str) -> None:
    assert tags.sig(value) == text


@pytest.mark.parametrize(("value", "text"), [(1.234, "+1.23"), (-0.355, "−0.35"), (None, "–"), (math.nan, "–")])
def test_effects_carry_their_sign(value: Any, text: str) -> None:
    assert tags.signed(value) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (12_345, "12.3 kB"), (7_300_000_000, "7.3 GB")])
def test_sizes_are_decimal(size: int, text: str) -> None:
    assert tags.bytesize(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.25, "0.25 s"),
        (75, "1 min 15 s"),
        (7260, "2 h 1 min"),
        (timedelta(days=2, hours=3), "2 d 3 h"),
        (None, "–"),
    ],
)
def test_durations_read_as_people_say_them(seconds: Any, text: str) -> None:
    assert tags.duration(seconds) == text


def test_times_are_relative_with_the_exact_time_beside() -> None:
    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert tags.relative(now - timedelta(hours=5), now) == "5 h ago"
    assert tags.relative(now + timedelta(days=3), now) == "in 3 d"
    assert tags.relative(now, now) == "just now"


def test_a_relative_time_escapes_nothing_but_shows_utc_in_its_title() -> None:
    assert 'title="2026-01-02 00:00:00 UTC"' in tags.ago(datetime(2026, 1, 2, tzinfo=UTC))


def test_an_unknown_state_is_shown_as_its_word_without_markup() -> None:
    shown = tags.status("<b>odd</b>")
    assert "status-muted" in shown
    assert "&lt;b&gt;odd&lt;/b&gt;" in shown
    assert "<b>" not in shown


@pytest.mark.parametrize("seconds", [math.inf, -math.inf, math.nan])
def test_no_time_is_told_of_what_is_no_number(seconds: float) -> None:
    assert tags.duration(seconds) == "–"
