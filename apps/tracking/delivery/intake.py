"""The tracking room: taking a delivery in: verified, stored once as it came, read later. And forgetting old ones."""

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.tracking.delivery import connections
from apps.tracking.delivery.signatures import Headers, verify
from apps.tracking.models import Connection, Delivery
from maestro import limits
from maestro.clock import uuid7
from maestro.database.statements import execute
from maestro.errors import Invalid

VISIBLE = re.compile(r"[\x21-\x7e]+")
EVENT = re.compile(r"[A-Za-z0-9_ .:-]+")
IDS: dict[str, tuple[str, ...]] = {
    Connection.Kind.GITHUB: ("X-GitHub-Delivery",),
    Connection.Kind.GITLAB: ("webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID"),
    Connection.Kind.GITEA: ("X-Gitea-Delivery", "X-Forgejo-Delivery"),
}
EVENTS: dict[str, tuple[str, ...]] = {
    Connection.Kind.GITHUB: ("X-GitHub-Event",),
    Connection.Kind.GITLAB: ("X-Gitlab-Event",),
    Connection.Kind.GITEA: ("X-Gitea-Event", "X-Forgejo-Event"),
}
PINGS = ("ping",)
FORGOTTEN_AT_ONCE = 1_000
KEEP = """
INSERT INTO tracking_delivery
  (id, connection_id, name, event, body, size_bytes, received_at, state, reason, tries)
VALUES (%(id)s, %(connection)s, %(name)s, %(event)s, %(body)s, %(size)s, %(at)s, 'waiting', '', 0)
ON CONFLICT (connection_id, name) DO NOTHING
RETURNING 1
"""


@dataclass(frozen=True)
class Taken:
    """How a delivery was answered: kept, known already, or a ping."""

    name: str
    event: str
    is_new: bool

    @property
    def state(self) -> str:
        """The answer's word."""
        return "pong" if self.event in PINGS else "kept" if self.is_new else "known"


def header(headers: Headers, names: tuple[str, ...], shape: re.Pattern[str]) -> str:
    """Read the first of some headers that is there; empty if none is. Raises Invalid for one that can't be stored."""
    text = next((headers[name] for name in names if headers.get(name)), "")
    if text and (len(text) > limits.HOOK_HEADER_CHARS or not shape.fullmatch(text)):
        most = limits.HOOK_HEADER_CHARS
        raise Invalid(f"{names[0]} must have at most {most} plain characters", "bad_header")
    return text


def take(of: Connection, headers: Headers, body: bytes, at: datetime) -> Taken:
    """Verify a delivery and keep it as it came; the same again is absorbed.

    Raises BadSignature, Stale, or Invalid for headers that name no event
    """
    verify(of.kind, connections.valid_secrets(of, at), headers, body, at)
    event = header(headers, EVENTS[of.kind], EVENT)
    if not event:
        raise Invalid(
            f"the header {EVENTS[of.kind][0]} is missing: is this a {of.get_kind_display()} webhook?", "no_event"
        )
    name = header(headers, IDS[of.kind], VISIBLE) or f"sha256:{hashlib.sha256(event.encode() + body).hexdigest()}"
    values = {
        "id": uuid7(),
        "connection": of.pk,
        "name": name,
        "event": event,
        "body": zlib.compress(body, 1),
        "size": len(body),
        "at": at,
    }
    return Taken(name, event, bool(execute(KEEP, values)))


def forget_person(spellings: Sequence[str]) -> dict[str, int]:
    """Delete deliveries as they came, when somebody is erased: all that were read, since any may tell of them under a name
    of the forge's; and of those that wait, the ones that spell them. What was read of them knows pseudonyms alone.
    """
    waiting = Delivery.objects.filter(state=Delivery.State.WAITING)
    words = [text.lower().encode() for text in spellings]
    telling = [row.pk for row in waiting.iterator(50) if spells(bytes(row.body), words)]
    gone = Delivery.objects.exclude(state=Delivery.State.WAITING).delete()[0]
    gone += Delivery.objects.filter(pk__in=telling).delete()[0]
    return {Delivery._meta.db_table: gone} if gone else {}


def spells(body: bytes, words: Sequence[bytes]) -> bool:
    """Whether a packed body has one of some words."""
    plain = zlib.decompress(body).lower()
    return any(word in plain for word in words)


def forget_old(at: datetime) -> int:
    """Delete deliveries that are older than they are kept; what was read out of them stays."""
    old = Delivery.objects.filter(received_at__lt=at - timedelta(days=limits.DELIVERY_DAYS))
    gone = 0
    while some := list(old.order_by("received_at").values_list("pk", flat=True)[:FORGOTTEN_AT_ONCE]):
        gone += Delivery.objects.filter(pk__in=some).delete()[0]
    return gone
