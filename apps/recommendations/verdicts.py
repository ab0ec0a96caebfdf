"""Recommendations room: may a number be shown, and if not, what is missing. Pure.

Every estimate carries a Verdict. A refusal is an answer: it says why in words and in figures
what would be enough, and it never comes with a number.
"""

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "early", "refused"]
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
