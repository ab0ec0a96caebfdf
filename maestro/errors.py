"""The floor: what a rule raises when it refuses. Each door translates these once, into its own format."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from maestro import limits


@dataclass(frozen=True)
class Fault:
    """One thing wrong with one part of an input: where (a JSON pointer), a stable code and a sentence."""

    pointer: str
    code: str
    detail: str


def bounded(detail: str) -> str:
    """Cut a sentence that quotes much of what was sent."""
    return detail if len(detail) <= limits.DETAIL_CHARS else detail[: limits.DETAIL_CHARS] + "…"


class MaestroError(Exception):
    """A refusal. `code` is stable and part of the API; `status` is its HTTP status.

    `facts` are what a door needs to say the same in another protocol's words. `afterwards` is done by whoever undoes a
    transaction because of it: what is told of a refusal must not be undone with the act.
    """

    status = 500
    code = "internal"

    def __init__(
        self,
        detail: str,
        code: str | None = None,
        *,
        faults: Sequence[Fault] = (),
        facts: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.detail = bounded(detail)
        self.code = code or type(self).code
        self.faults = tuple(faults[: limits.FAULTS + 1])
        self.facts = dict(facts or {})
        self.afterwards: tuple[Callable[[], None], ...] = ()


class Invalid(MaestroError):
    """The input breaks a rule that the caller can mend."""

    status = 400
    code = "invalid"


class Unauthenticated(MaestroError):
    """Nobody is known to be asking."""

    status = 401
    code = "unauthenticated"


class Forbidden(MaestroError):
    """The caller is known and may not do this."""

    status = 403
    code = "forbidden"


class NotFound(MaestroError):
    """There is no such thing, or it is somebody else's: both sound the same."""

    status = 404
    code = "not_found"


class Conflict(MaestroError):
    """The thing's state does not allow it."""

    status = 409
    code = "conflict"


class AlreadyExists(Conflict):
    """The name is taken."""

    code = "already_exists"


class TooLarge(MaestroError):
    """A body, a file or a batch is beyond its bound."""

    status = 413
    code = "too_large"


class UnsupportedMedia(MaestroError):
    """The content type is not one the door reads."""

    status = 415
    code = "unsupported_media_type"


class RangeNotSatisfiable(MaestroError):
    """The asked byte range lies outside the file, or is more than one range."""

    status = 416
    code = "range_not_satisfiable"


class TooMany(MaestroError):
    """A rate limit. `retry_after` is in seconds."""

    status = 429
    code = "rate_limited"

    def __init__(self, detail: str, *, retry_after: int) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class NotImplementedHere(MaestroError):
    """A part of a foreign protocol that is not offered; clients fall back on it."""

    status = 501
    code = "not_implemented"


class Unavailable(MaestroError):
    """A server that Maestro needs is down; trying again later may work."""

    status = 503
    code = "unavailable"


class StorageFull(MaestroError):
    """There is no room for the bytes."""

    status = 507
    code = "storage_full"


class QuotaReached(StorageFull):
    """A tenant or a project may keep no more bytes. Its facts are the numbers, which every door tells."""

    code = "quota_reached"
