"""The registry room: calls of an MLflow server, and the parts of its answers, which may be of any shape."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from apps.registry.imports import fit, streams
from apps.tracking.metrics.digests import Brought
from maestro.errors import Invalid, NotFound, TooLarge, Unavailable

API, API3, PAGES = "/api/2.0/mlflow", "/api/3.0/mlflow", "/ajax-api/2.0/mlflow"
ANSWER_BYTES = 256 * 2**20
Raw = dict[str, Any]


class Calls:
    """A server, by its address and the headers that let us in."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        self.url, self.headers = url.rstrip("/"), dict(headers)

    def ask(self, path: str, body: Raw | None = None, /, **query: Any) -> Raw:
        """Ask a call. Raises NotFound, Invalid for a refusal, Unavailable for no sensible answer."""
        with self.opened(path, body, query) as answer:
            data = bytearray()
            for piece in answer.pieces():
                data += piece
                if len(data) > ANSWER_BYTES:
                    raise TooLarge(f"the answer of {path} has more than {ANSWER_BYTES} bytes", "too_large")
        try:
            found = json.loads(data)
        except (ValueError, RecursionError) as error:
            raise Unavailable(f"the answer of {path} is no JSON", "no_answer") from error
        if not isinstance(found, dict):
            raise Unavailable(f"the answer of {path} is no object", "no_answer")
        return found

    def opened(self, path: str, body: Raw | None, query: Mapping[str, Any]) -> streams.Answer:
        """Send a call and look at its status. Raises NotFound, Invalid, Unavailable."""
        url = f"{self.url}{path}" + (f"?{urlencode(query, doseq=True)}" if query else "")
        sent = None if body is None else json.dumps(body).encode()
        headers = self.headers | ({} if body is None else {"Content-Type": "application/json"})
        answer = streams.stream(url, method="GET" if body is None else "POST", body=sent, headers=headers)
        if answer.status == 200:
            return answer
        answer.close()
        if answer.status in (404, 410):
            raise NotFound(f"{path} is not there")
        if answer.status in (401, 403):
            raise Unavailable(f"{path} is refused with {answer.status}: set MLFLOW_TRACKING_TOKEN", "refused")
        if answer.status >= 500:
            raise Unavailable(f"{path} fails with {answer.status}", "no_answer")
        raise Invalid(f"{path} is refused with {answer.status}", "refused")

    def pages(self, path: str, name: str, body: Raw, *, gets: bool = False) -> Iterator[list[Raw]]:
        """Read all pages of a list. Raises Unavailable for a server that goes round in a circle."""
        token, seen = "", set[str]()
        while True:
            asked = body | ({"page_token": token} if token else {})
            found = self.ask(path, **asked) if gets else self.ask(path, asked)
            yield listed(found.get(name))
            token = str(found.get("next_page_token") or "")
            if not token:
                return
            if token in seen:
                raise Unavailable(f"{path} gives the same page again", "no_answer")
            seen.add(token)


def part(raw: Raw, name: str) -> Raw:
    """A part of an answer that is an object; an empty one where there is none."""
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def listed(value: Any) -> list[Raw]:
    """The objects of a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def pairs(value: Any) -> Raw:
    """Names and texts of a list of both."""
    return {str(item.get("key")): item.get("value") or "" for item in listed(value)}


def points_of(rows: Sequence[Raw]) -> Brought | Invalid:
    """Read points, or say what is wrong with them."""
    brought = Brought()
    try:
        for row in rows:
            step, time = fit.integer(row.get("step") or 0, "step"), fit.moment(row.get("timestamp"), "timestamp")
            brought.add(step, time, fit.number(row.get("value"), "value"))
    except Invalid as error:
        return error
    return brought


def milliseconds(value: Any) -> int | None:
    """Read a duration such as 0.028s."""
    return None if value is None else round(fit.number(str(value).removesuffix("s"), "execution_duration") * 1_000)
