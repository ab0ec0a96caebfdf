"""The tracking room: how long something takes, when some of it has not ended yet: Kaplan and Meier's estimate.

The mean, or median, of what has ended would be too low: what takes long is what is still open.
Source  Kaplan and Meier (1958); Greenwood's variance; the interval on the log(-log) scale, as in Kalbfleisch and Prentice
"""

import math
from collections.abc import Iterator, Sequence

from apps.tracking.models.measures import Measure

Z = 1.959963984540054  # of a 95 % interval
Span = tuple[float, bool]  # how long, and whether it has ended


def curve(spans: Sequence[Span]) -> Iterator[tuple[float, float, float, float]]:
    """After each time at which something ended: the share that is still open, and its interval."""
    at_risk, open_share, variance = len(spans), 1.0, 0.0
    ordered = sorted(spans)
    at = 0
    while at < len(ordered):
        time, some, ended = ordered[at][0], 0, 0
        while at < len(ordered) and ordered[at][0] == time:
            ended += ordered[at][1]
            some, at = some + 1, at + 1
        if ended:
            open_share *= 1 - ended / at_risk
            variance += ended / (at_risk * (at_risk - ended)) if at_risk > ended else math.inf
            yield time, open_share, *interval(open_share, variance)
        at_risk -= some


def interval(open_share: float, variance: float) -> tuple[float, float]:
    """The interval of a share that is still open; once all has ended, nothing is known of its upper end."""
    if not 0 < open_share < 1:
        return 0.0, 1.0
    wide = Z * math.sqrt(variance) / abs(math.log(open_share))
    return open_share ** math.exp(wide), open_share ** math.exp(-wide)


def survival(spans: Sequence[Span]) -> Measure:
    """The median time with its interval, and p90; None where too much is still open to know. `n` counts what has ended."""
    steps = list(curve(spans))

    def first(which: int, level: float) -> float | None:
        return next((step[0] for step in steps if step[which] <= level + 1e-12), None)

    ended = sum(has_ended for _, has_ended in spans)
    return Measure(
        len(spans),
        None,
        first(1, 0.5),
        first(1, 0.1),
        first(2, 0.5),
        first(3, 0.5),
        len(spans) - ended,
    )
