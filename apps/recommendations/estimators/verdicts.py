"""Recommendations room: may a number be shown, and if not, what is missing. Pure.

Every estimate carries a Verdict. A refusal is an answer: it says why in words and in figures
what would be enough, and it never comes with a number.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Status = Literal["ok", "early", "refused"]
GAIN_LEVEL = 0.9  # the coverage that every interval of a gain claims
_ORDER: tuple[Status, ...] = ("ok", "early", "refused")


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that is short: how much there is and how much would do."""

    what: str
    have: float
    at_least: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """`status` with its reason: `code` is stable for programs, `reason` is for people."""

    status: Status
    code: str = ""
    reason: str = ""
    needs: tuple[Need, ...] = ()

    @property
    def is_refused(self) -> bool:
        """True when no number may be shown."""
        return self.status == "refused"

    def to_json(self) -> dict[str, Any]:
        """As the API shows it: status, code, reason and needs."""
        return {**asdict(self), "needs": [asdict(need) for need in self.needs]}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> "Verdict":
        """The verdict that `to_json` wrote."""
        return cls(stored["status"], stored["code"], stored["reason"], tuple(Need(**n) for n in stored["needs"]))


OK = Verdict("ok")


def refused(code: str, reason: str, *needs: Need) -> Verdict:
    """A verdict that withholds the number."""
    return Verdict("refused", code, reason, needs)


def early(code: str, reason: str, *needs: Need) -> Verdict:
    """A verdict that shows the number under an "early" badge."""
    return Verdict("early", code, reason, needs)


def worst(*verdicts: Verdict) -> Verdict:
    """The most cautious of several verdicts; the first one wins a tie."""
    return max(verdicts, key=lambda verdict: _ORDER.index(verdict.status))
