"""The floor: page sizes and page tokens of the MLflow door. A token is opaque, signed, and good for one list."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from maestro import limits
from maestro.api.pagination import sign, unsign
from maestro.errors import Invalid
from maestro.filters import budget
from maestro.filters.budget import Id, Place
from maestro.http.heavy import turn
from maestro.mlflow import fields as read

# A page of a thousand usual runs has 3 MB, and waits for nobody.
TURN_BYTES = 4 * 2**20


def page_size(fields: Mapping[str, Any], default: int | None, most: int = limits.MLFLOW_PAGE_MAX) -> int:
    """Read max_results. Raises Invalid outside 1..most, or if there is none and none is assumed."""
    if fields.get("max_results") is None:
        if default is None:
            raise read.missing("max_results")
        return default
    return read.as_integer(fields["max_results"], "max_results", 1, most)


def read_token(fields: Mapping[str, Any], purpose: str) -> list[Any] | None:
    """Read page_token back, or None for the first page. Raises Invalid for nonsense."""
    token = fields.get("page_token")
    if token is None or token == "":
        return None
    try:
        return unsign(read.as_text(token, "page_token", 20_000), purpose)
    except Invalid as error:
        raise read.refuse("page_token", token, "it is not a token of this list") from error


def write_token(values: list[Any], purpose: str) -> str:
    """Make the token of the page that follows a row."""
    return sign(values, purpose)


def following_token(values: list[Any] | None, purpose: str) -> dict[str, str]:
    """Tell the next page's token, if there is one."""
    return {} if values is None else {"next_page_token": write_token(values, purpose)}


def take_turn(size_bytes: int) -> None:
    """Let long pages be made one after the other in a process. Raises Busy."""
    if size_bytes > TURN_BYTES:
        turn.take()


def within(
    find: Callable[[int], tuple[Sequence[Id], Place]], most: int, write: Callable[[Sequence[Id]], Sequence[bytes]]
) -> tuple[list[bytes], Place]:
    """Find a page of ids and write as many as fit into one answer; returns them, and where the next page begins."""
    return budget.page(find, most, write, take_turn)


def listed(name: str, pieces: Sequence[bytes], told: Mapping[str, Any]) -> bytes:
    """Put an answer together: a list, left out if it is empty, and what is told besides."""
    if not pieces:
        return orjson.dumps(told)
    # One join for all: each further one would hold the whole answer once more.
    end = b"]," + orjson.dumps(told)[1:] if told else b"]}"
    return b"".join((b'{"%s":[' % name.encode(), b",".join(pieces), end))
