"""The floor: epoch milliseconds <-> aware datetimes, and UUIDs that sort by time."""

import os
import time
import uuid
from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(ms: int) -> datetime:
    """Milliseconds since the epoch as an aware datetime, UTC."""
    return EPOCH + timedelta(milliseconds=ms)


def to_ms(at: datetime) -> int:
    """Milliseconds since the epoch, rounded down."""
    return (at - EPOCH) // timedelta(milliseconds=1)


def now_ms() -> int:
    """The wall clock in milliseconds; only doors ask it."""
    return time.time_ns() // 1_000_000


def uuid7() -> uuid.UUID:
    """A new UUID version 7: 48 bits of milliseconds, then chance.

    Source  RFC 9562, section 5.7
    """
    value = (now_ms() << 80) | int.from_bytes(os.urandom(10))
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    return uuid.UUID(int=value)


def is_uuid(text: str) -> bool:
    """Say whether a text can be an id."""
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


SPANS = ((1.0, "days"), (24.0, "hours"), (1_440.0, "minutes"), (86_400.0, "seconds"))


def span_unit(days: float) -> tuple[float, str]:
    """The unit in which a number of days can be read: how many of it make a day, and its name."""
    return next((span for span in SPANS if abs(days) * span[0] >= 1), SPANS[-1] if days else SPANS[0])


def span_words(days: float) -> str:
    """A number of days as people say it: 0.00007 -> 6.05 seconds, 0.04 -> 57.6 minutes, 30 -> 30 days."""
    many, name = span_unit(days)
    return f"{days * many:,.3g} {name}" if abs(days) < 1_000 else f"{days:,.0f} {name}"
