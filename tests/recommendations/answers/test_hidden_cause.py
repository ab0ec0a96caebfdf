"""What a hidden cause would change of a claim, in a sentence."""

from typing import Any

import pytest

from apps.recommendations.models import ImpactScore

KNOWN = [{"covariate": "complexity", "share": 0.12}, {"covariate": "team_size", "share": 0.05}]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (
            {"effect": 8.0, "low": 3.0, "high": 13.0, "sensitivity": 0.18, "sensitivity_interval": 0.07},
            "If something unrecorded explains 18 % of what is left of both its use and the outcome, the effect is zero; "
            "from 7 % on the interval holds zero. Of its use complexity explains 12 %.",
        ),
        (
            {"effect": 1.0, "low": -3.0, "high": 5.0, "sensitivity": 0.02, "sensitivity_interval": 0.0},
            "The interval holds zero as it is. If something unrecorded explains 2 % of what is left of both its use and "
            "the outcome, the effect is zero.",
        ),
        ({"effect": None, "sensitivity": None}, ""),
        ({"effect": 2.0, "low": 1.0, "high": 3.0, "sensitivity": None}, ""),
    ],
)
def test_a_claim_says_what_would_undo_it(given: dict[str, Any], said: str) -> None:
    assert ImpactScore(covariates=KNOWN, **given).hidden_cause == said
