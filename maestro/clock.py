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
