"""The tracking room: a trace's spans -> rows of a waterfall, each below the span that it belongs to, and one span's words.

Pure. What somebody uploaded may name the same span twice, parents that are not there, or each other in a circle:
each span is shown once, wherever it can be reached from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.tracking.traces.spans import TIMES, is_time, listed, undumped

MOST_ROWS, DEEPEST, NAME_CHARS = 150, 24, 60
WIDTH, NARROWEST = 1000, 4
TEXT_CHARS, PARSED_CHARS, MOST_PAIRS, MOST_EVENTS, PAIR_CHARS = 4_000, 200_000, 40, 10, 300
KIND, INPUTS, OUTPUTS = "mlflow.spanType", "mlflow.spanInputs", "mlflow.spanOutputs"
STATES = {"STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error"}
Raw = Mapping[str, Any]


@dataclass(slots=True)
class Row:
    """A span as a line: when it began and how long it took, in milliseconds; its place and width of a thousand."""

    identity: str
    name: str
    kind: str
    state: str
    depth: int
    parent: str = ""
    began_ms: float | None = None
    lasted_ms: float | None = None
    left: int = 0
    width: int = 0
    has_inner: bool = False
    closing: range = field(default_factory=lambda: range(0))


@dataclass(frozen=True, slots=True)
class Text:
    """A value as it is shown, and whether that is only its beginning."""

    text: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Told:
    """What one span says."""

    row: Row
    message: str
    inputs: Text | None
    outputs: Text | None
    pairs: Sequence[tuple[str, Text]]
    events: Sequence[tuple[str, Text]]
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Waterfall:
    """Spans in the order of a tree: those that are shown, and how many fit."""

    rows: Sequence[Row]
    count: int
    chosen: Told | None


def text_in(span: Raw, name: str) -> str:
    """A text of a span; what is none is empty."""
    value = span.get(name)
    return value if isinstance(value, str) else ""


def ordered(spans: Sequence[Raw]) -> list[tuple[int, int]]:
    """The spans' places with their depths: each below its parent, earlier ones first, every span once."""
    places: dict[str, int] = {}
    for place, span in enumerate(spans):
        places.setdefault(text_in(span, "span_id"), place)
    inner: dict[int | None, list[int]] = {}
    for place, span in enumerate(spans):
        parent = places.get(text_in(span, "parent_span_id")) if text_in(span, "parent_span_id") else None
        inner.setdefault(None if parent == place else parent, []).append(place)
    for some in inner.values():
        some.sort(key=lambda place: start_of(spans[place]))
    found: list[tuple[int, int]] = []
    seen: set[int] = set()
    # What only a circle holds is reached from its first span.
    waiting = [(place, 0) for place in [*range(len(spans) - 1, -1, -1), *reversed(inner.get(None, []))]]
    while waiting:
        place, depth = waiting.pop()
        if place not in seen:
            seen.add(place)
            found.append((place, depth))
            waiting += [(one, min(depth + 1, DEEPEST)) for one in reversed(inner.get(place, []))]
    return found


def start_of(span: Raw) -> int:
    """When a span began, in nanoseconds; without a time after all others."""
    value = span.get(TIMES[0])
    return value if is_time(value) else 2**63  # type: ignore[return-value]


def row_of(span: Raw, depth: int, begin: int, whole: int) -> Row:
    """One span as a line."""
    kind = undumped(attributes_of(span).get(KIND))
    status = span.get("status")
    code = status.get("code") if isinstance(status, dict) else None
    row = Row(
        text_in(span, "span_id"),
        text_in(span, "name") or "without a name",
        kind[:NAME_CHARS] if isinstance(kind, str) else "",
        STATES.get(code, "") if isinstance(code, str) else "",
        depth,
        text_in(span, "parent_span_id"),
    )
    start, end = (span.get(name) for name in TIMES)
    if isinstance(start, int) and is_time(start):
        row.began_ms = (start - begin) / 1e6
        row.left = (start - begin) * WIDTH // whole
        if isinstance(end, int) and is_time(end) and end >= start:
            row.lasted_ms = (end - start) / 1e6
            row.width = max((end - start) * WIDTH // whole, NARROWEST)
            row.left = min(row.left, WIDTH - NARROWEST)
    return row


def lines(spans: Sequence[Raw]) -> list[Row]:
    """All spans as lines, in the order of a tree."""
    times: list[int] = [value for span in spans for name in TIMES if is_time(value := span.get(name))]  # type: ignore[misc]
    begin = min(times, default=0)
    whole = max(max(times, default=0) - begin, 1)
    return [row_of(spans[place], depth, begin, whole) for place, depth in ordered(spans)]


def nested(rows: Sequence[Row]) -> Sequence[Row]:
    """Say of each line whether the next one is within it, and how many levels end after it."""
    for place, row in enumerate(rows):
        deeper = rows[place + 1].depth if place + 1 < len(rows) else -1
        row.has_inner = deeper > row.depth
        row.closing = range(max(row.depth - max(deeper, 0), 0))
    return rows


def lay_out(spans: Sequence[Raw], *, chosen: str = "", find: str = "") -> Waterfall:
    """The lines that a page shows, all or those whose name holds a text, and what one span says."""
    every = lines(spans)
    rows = [row for row in every if find.lower() in row.name.lower()] if find else every
    if find:
        for row in rows:
            row.depth = 0
    wanted = next((row for row in every if chosen and row.identity == chosen), None)
    if wanted is None and rows and not chosen:
        wanted = rows[0]
    span = next((one for one in spans if wanted and text_in(one, "span_id") == wanted.identity), None)
    told = tell(span, wanted) if span is not None and wanted is not None else None
    return Waterfall(nested(rows[:MOST_ROWS]), len(rows), told)


def attributes_of(span: Raw) -> Raw:
    """A span's attributes."""
    found = span.get("attributes")
    return found if isinstance(found, dict) else {}


def tell(span: Raw, row: Row) -> Told:
    """Write out what one span says."""
    attributes, status = attributes_of(span), span.get("status")
    shown = [key for key in attributes if key not in {KIND, INPUTS, OUTPUTS}]
    pairs = [(key[:PAIR_CHARS], written(attributes[key], PAIR_CHARS)) for key in shown[:MOST_PAIRS]]
    events = listed(span.get("events"))
    message = text_in(status, "message") if isinstance(status, dict) else ""
    return Told(
        row,
        message[:TEXT_CHARS],
        written(attributes[INPUTS], TEXT_CHARS) if INPUTS in attributes else None,
        written(attributes[OUTPUTS], TEXT_CHARS) if OUTPUTS in attributes else None,
        pairs,
        [
            (text_in(one, "name")[:PAIR_CHARS], written(attributes_of(one), TEXT_CHARS // 2))
            for one in events[:MOST_EVENTS]
        ],
        len(shown) > MOST_PAIRS or len(events) > MOST_EVENTS,
    )


def written(value: Any, most: int) -> Text:
    """A value as text that people read, at most so long. Values hold JSON in text; a very long one stays as it is."""
    read = value if isinstance(value, str) and len(value) > PARSED_CHARS else undumped(value)
    text = read if isinstance(read, str) else orjson.dumps(read, option=orjson.OPT_INDENT_2).decode()
    return Text(text[:most], len(text) > most)
