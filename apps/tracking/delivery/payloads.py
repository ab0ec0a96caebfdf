"""The tracking room: reading what a forge sent: each thing has its type, or the delivery is told as not understood."""

import hashlib
import hmac
import re
from datetime import UTC, datetime
from typing import Any

import orjson

from apps.tracking.models import Connection
from apps.tracking.models.forge_facts import ID_CHARS, PSEUDONYM_CHARS
from maestro import limits
from maestro.api.json import check_shape
from maestro.errors import Invalid

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
OFFSET = re.compile(r"\s+([+-]\d{2}):?(\d{2})\Z")
FIRST_YEAR, LAST_YEAR = 1970, 2200
MOST = 2**62


class NotUnderstood(Invalid):
    """A delivery is not what its forge's documentation says, or no document at all."""

    code = "not_understood"


class Part:
    """An object of a payload, with the way to it."""

    def __init__(self, of: Connection, fields: Any, way: str = "") -> None:
        if not isinstance(fields, dict):
            raise NotUnderstood(f"{way or 'the body'} is not an object")
        self.of, self.fields, self.way = of, fields, way

    def wrong(self, name: str, what: str) -> NotUnderstood:
        """Say what is wrong with a field."""
        return NotUnderstood(f"{self.way}{name} is {what}")

    def part(self, name: str) -> "Part":
        """An object in it. Raises NotUnderstood."""
        return Part(self.of, self.fields.get(name), f"{self.way}{name}.")

    def maybe(self, name: str) -> "Part":
        """An object in it; an empty one if it is not there."""
        found = self.fields.get(name)
        return Part(self.of, found if isinstance(found, dict) else {}, f"{self.way}{name}.")

    def parts(self, name: str) -> list["Part"]:
        """The objects of a list in it; none if it is not there."""
        found = self.fields.get(name) or []
        if not isinstance(found, list):
            raise self.wrong(name, "not a list")
        return [Part(self.of, one, f"{self.way}{name}.{number}.") for number, one in enumerate(found)]

    def text(self, name: str, most: int = 250) -> str:
        """A text, cut; empty if there is none."""
        found = self.fields.get(name)
        return found.replace("\x00", "")[:most] if isinstance(found, str) else ""

    def flag(self, name: str) -> bool:
        """Whether it says true."""
        return self.fields.get(name) is True

    def whole(self, name: str) -> int | None:
        """A whole number that is not negative, or none."""
        found = self.fields.get(name)
        is_number = isinstance(found, int) and not isinstance(found, bool) and 0 <= found < MOST
        return found if is_number else None

    def number(self, name: str) -> str:
        """The forge's id of something, as text. Raises NotUnderstood."""
        found = self.whole(name)
        if found is None:
            raise self.wrong(name, "not a whole number")
        return str(found)[:ID_CHARS]

    def sha(self, name: str) -> str:
        """A commit's id. Raises NotUnderstood."""
        found = self.fields.get(name)
        if not isinstance(found, str) or not SHA.fullmatch(found):
            raise self.wrong(name, "not a commit's id")
        return found

    def time(self, name: str) -> datetime:
        """A time. Raises NotUnderstood."""
        found = self.when(name)
        if found is None:
            raise self.wrong(name, "not a time")
        return found

    def when(self, name: str) -> datetime | None:
        """A time, or none. Raises NotUnderstood for what is no time, or lies too far away."""
        found = self.fields.get(name)
        if found is None or found == "":
            return None
        try:
            read = moment(found)
        except (ValueError, OverflowError, OSError) as error:
            raise self.wrong(name, "not a time") from error
        if not FIRST_YEAR <= read.year <= LAST_YEAR:
            raise self.wrong(name, "a time too far away")
        return read

    def who(self, name: str) -> tuple[str, bool]:
        """A person's pseudonym, and whether it is a bot: by the forge's id, or else by name or address."""
        found = self.maybe(name)
        login = found.text("login") or found.text("username")
        known = found.whole("id")
        spelled = str(known) if known is not None else login or found.text("email").lower() or found.text("name")
        is_bot = login.endswith("[bot]") or found.text("type") == "Bot" or found.text("name").endswith("[bot]")
        return pseudonym(self.of, spelled), is_bot


def moment(told: Any) -> datetime:
    """Read a time in any of the forges' forms, GitLab's three among them. Raises ValueError."""
    if isinstance(told, int) and not isinstance(told, bool):
        return datetime.fromtimestamp(told, UTC)
    if not isinstance(told, str) or len(told) > 40:
        raise ValueError("not a time")
    text = OFFSET.sub(r"\1:\2", told.strip().removesuffix(" UTC"))
    read = datetime.fromisoformat(text)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC)


def pseudonym(of: Connection, spelled: str) -> str:
    """A person as this connection's rows know them; empty for nobody. Another connection knows them by another."""
    if not spelled:
        return ""
    return hmac.new(bytes(of.salt), spelled.encode(), hashlib.sha256).hexdigest()[:PSEUDONYM_CHARS]


def document(of: Connection, body: bytes) -> Part:
    """Read a delivery's body. Raises NotUnderstood, or what the bounds of a document say."""
    check_shape(body, limits.HOOK_ITEMS)
    try:
        return Part(of, orjson.loads(body))
    except orjson.JSONDecodeError as error:
        raise NotUnderstood(f"the body is not JSON: {error.msg}"[:200]) from error
