"""The registry room: a bound on a metric, as a gate keeps it and as people write it: `auc >= @champion - 0.01 on holdout`."""

import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maestro import limits
from maestro.errors import Invalid

NUMBER = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
LINE = re.compile(
    rf"(?P<metric>[^<>=]+)(?P<operator>>=|<=)\s*(?:(?P<value>[+-]?{NUMBER})"
    rf"|@(?P<baseline>[\w-]+)(?:\s*(?P<margin>[+-]\s*{NUMBER}))?)(?:\s+on\s+(?P<dataset>\S.*))?"
)
DATASET_CHARS = 500
EXAMPLE = "auc >= 0.8, auc >= @champion - 0.01 on holdout, or rmse <= @champion"


@dataclass(frozen=True)
class Bound:
    """A version's metric is at least, or at most, a number, or what the version at an alias has, give or take a margin."""

    metric: str
    operator: str = ">="
    value: float | None = None
    baseline: str = ""
    margin: float = 0.0
    dataset: str = ""

    def holds(self, measured: float, limit: float) -> bool:
        """Compare; what is no number holds nothing."""
        return measured >= limit if self.operator == ">=" else measured <= limit

    def __str__(self) -> str:
        margin = f" {'-' if self.margin < 0 else '+'} {abs(self.margin):g}" if self.margin else ""
        right = f"@{self.baseline}{margin}" if self.baseline else repr(self.value)
        return f"{self.metric} {self.operator} {right}{f' on {self.dataset}' if self.dataset else ''}"


def read_line(line: str) -> Bound:
    """Read a bound as people write it. Raises Invalid."""
    match = LINE.fullmatch(line.strip())
    if match is None:
        raise Invalid(f"{line.strip()[:100]!r} is no bound; write for example {EXAMPLE}", "bad_bound")
    margin = (match["margin"] or "0").replace(" ", "")
    value = None if match["value"] is None else float(match["value"])
    bound = Bound(
        match["metric"].rstrip(),
        match["operator"],
        value,
        match["baseline"] or "",
        float(margin),
        match["dataset"] or "",
    )
    check(bound)
    return bound


def check(bound: Bound) -> None:
    """Raise Invalid for a bound that says nothing, two things, or too much."""
    if (bound.value is None) == (not bound.baseline):
        raise Invalid("a bound names a value or a baseline: one of them", "bad_bound")
    if bound.operator not in (">=", "<="):
        raise Invalid("a bound is >= or <=", "bad_bound")
    if not bound.metric.strip() or len(bound.metric) > limits.KEY_CHARS or len(bound.dataset) > DATASET_CHARS:
        raise Invalid("the name of the metric or of the dataset is empty or too long", "bad_bound")
    if len(bound.baseline) > limits.ALIAS_CHARS or not math.isfinite((bound.value or 0) + bound.margin):
        raise Invalid("the baseline's name is too long, or a number is not finite", "bad_bound")


def of_json(row: Mapping[str, Any]) -> Bound:
    """Read a bound that a gate keeps."""
    return Bound(**row)


def as_json(bound: Bound) -> dict[str, Any]:
    """Write a bound to be kept."""
    return asdict(bound)
