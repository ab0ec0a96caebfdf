"""The tracking room: tables: Parquet by its footer (thrift, compact protocol), Arrow by its schema (flatbuffers).

Source: parquet-format `parquet.thrift` (FileMetaData, SchemaElement); Arrow `File.fbs`, `Message.fbs`, `Schema.fbs`.
"""

from typing import Any

from apps.tracking.files.formats.told import Told, counted, row_of
from apps.tracking.files.formats.window import Cursor, Unreadable, Window, text

MOST_FOOTER = 4 * 2**20
MOST_PARTS, MOST_DEPTH = 200_000, 16
MOST_NESTED = 50  # columns in columns: each one's name has all of theirs in it
PHYSICAL = ("boolean", "int32", "int64", "int96", "float", "double", "bytes", "fixed bytes")
# ConvertedType, which all writers give beside the newer LogicalType.
CONVERTED = {0: "text", 4: "enum", 5: "decimal", 6: "date", 9: "timestamp (ms)", 10: "timestamp (µs)", 19: "JSON"}
CONVERTED |= {1: "map", 3: "list", 11: "uint8", 12: "uint16", 13: "uint32", 14: "uint64", 15: "int8", 16: "int16"}
COLUMNS = ("column", "type", "may be missing")
ARROW = {1: "null", 2: "int", 3: "float", 4: "bytes", 5: "text", 6: "boolean", 7: "decimal", 8: "date", 9: "time"}
ARROW |= {10: "timestamp", 11: "interval", 12: "list", 13: "struct", 14: "union", 15: "fixed bytes", 16: "fixed list"}
ARROW |= {17: "map", 18: "duration", 19: "large bytes", 20: "large text", 21: "large list"}


class Thrift:
    """Reads thrift's compact protocol into dicts by field number, with a bound on how many parts there are."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor, self.parts = cursor, MOST_PARTS

    def count(self, depth: int) -> None:
        """Raise Unreadable past the bounds."""
        self.parts -= 1
        if self.parts < 0 or depth > MOST_DEPTH:
            raise Unreadable("the footer has more parts than are looked at")

    def struct(self, depth: int = 0) -> dict[int, Any]:
        """Read a struct."""
        found: dict[int, Any] = {}
        number = 0
        while True:
            self.count(depth)
            head = self.cursor.take(1)[0]
            kind, step = head & 0x0F, head >> 4
            if kind == 0:
                return found
            number = number + step if step else self.cursor.zigzag()
            found[number] = kind == 1 if kind in (1, 2) else self.value(kind, depth + 1)

    def value(self, kind: int, depth: int) -> Any:
        """Read a value of a kind."""
        self.count(depth)
        if kind in (1, 2):
            return self.cursor.take(1)[0] == 1
        if kind == 3:
            return self.cursor.take(1)[0]
        if kind in (4, 5, 6):
            return self.cursor.zigzag()
        if kind == 7:
            return self.cursor.take(8)
        if kind == 8:
            return self.cursor.take(self.cursor.varint())
        if kind in (9, 10):
            return self.listed(depth)
        if kind == 12:
            return self.struct(depth)
        raise Unreadable("the footer is not what Parquet's are")

    def listed(self, depth: int) -> list[Any]:
        """Read a list."""
        head = self.cursor.take(1)[0]
        count = head >> 4 if head >> 4 < 15 else self.cursor.varint()
        if count > self.parts:
            raise Unreadable("the footer has more parts than are looked at")
        return [self.value(head & 0x0F, depth + 1) for _ in range(count)]


def parquet(window: Window) -> Told:
    """Read the footer. Raises Unreadable."""
    size = window.size_bytes
    if size < 12 or window.at(size - 4, 4) != b"PAR1":
        raise Unreadable("the file does not end as Parquet does")
    length = window.number("<I", size - 8)
    if not 0 < length <= min(MOST_FOOTER, size - 12):
        raise Unreadable("the footer is longer than is looked at")
    footer = Thrift(Cursor(window, size - 8 - length, size - 8)).struct()
    elements, rows, groups = footer.get(2), footer.get(3), footer.get(4)
    if not isinstance(elements, list) or not isinstance(rows, int) or not all(isinstance(e, dict) for e in elements):
        raise Unreadable("the footer is not what Parquet's are")
    facts = {"rows": counted(rows), "row groups": counted(len(groups) if isinstance(groups, list) else 0)}
    if isinstance(footer.get(6), bytes):
        facts["written by"] = text(footer[6])
    return Told("Parquet", facts, COLUMNS, leaves(elements))


def leaves(elements: list[dict[int, Any]]) -> list[tuple[str, ...]]:
    """Name the columns: elements stand as a tree is walked, each with how many are below it."""
    found: list[tuple[str, ...]] = []
    path: list[tuple[str, int]] = []
    for element in elements[1:]:
        name = text(element[4]) if isinstance(element.get(4), bytes) else "?"
        children = element.get(5)
        if isinstance(children, int) and children > 0:
            path.append((name, children + 1))
            if len(path) > MOST_NESTED:
                raise Unreadable("the columns are nested deeper than is looked at")
        else:
            names = ".".join([*(one for one, _ in path), name])
            found.append(row_of(names, type_of(element), "yes" if element.get(3) == 1 else "no"))
        while path:
            above, left = path[-1]
            path[-1] = (above, left - 1)
            if left > 1:
                break
            path.pop()
    return found


def type_of(element: dict[int, Any]) -> str:
    """Name a column's type: what it means, else how it is kept."""
    kind, means = element.get(1), element.get(6)
    if isinstance(means, int) and means in CONVERTED:
        return CONVERTED[means]
    return PHYSICAL[kind] if isinstance(kind, int) and 0 <= kind < len(PHYSICAL) else "?"


class Table:
    """A flatbuffers table: fields by their number, through the table's own list of offsets."""

    def __init__(self, window: Window, at: int) -> None:
        self.window, self.at = window, at
        self.vtable = at - window.number("<i", at)
        self.slots = (window.number("<H", self.vtable) - 4) // 2

    def place(self, slot: int) -> int | None:
        """Find where a field is kept; None if it is not."""
        offset = self.window.number("<H", self.vtable + 4 + 2 * slot) if slot < self.slots else 0
        return self.at + offset if offset else None

    def number(self, slot: int, layout: str) -> int:
        """Read a number, 0 if it is not there."""
        place = self.place(slot)
        return 0 if place is None else self.window.number(layout, place)

    def follow(self, slot: int) -> int | None:
        """Find what a field points at."""
        place = self.place(slot)
        return None if place is None else place + self.window.number("<I", place)

    def text(self, slot: int) -> str:
        """Read a string."""
        at = self.follow(slot)
        return "" if at is None else text(self.window.at(at + 4, min(self.window.number("<I", at), 1_000)))

    def tables(self, slot: int, most: int) -> list["Table"]:
        """Read a list of tables."""
        at = self.follow(slot)
        count = 0 if at is None else self.window.number("<I", at)
        if count > most:
            raise Unreadable("there are more columns than are looked at")
        places = [(at or 0) + 4 + 4 * index for index in range(count)]
        return [Table(self.window, place + self.window.number("<I", place)) for place in places]


def arrow(window: Window) -> Told:
    """Read the schema, which is the first message of a file or stream. Raises Unreadable."""
    at = 8 if window.at(0, 6) == b"ARROW1" else 0
    if window.number("<I", at) != 0xFFFFFFFF:
        raise Unreadable("the file does not begin as Arrow does")
    length = window.number("<I", at + 4)
    if not 8 <= length <= MOST_FOOTER:
        raise Unreadable("the schema is longer than is looked at")
    start = at + 8
    window.at(start, length)
    message = Table(window, start + window.number("<I", start))
    header = message.follow(2)
    if message.number(1, "<B") != 1 or header is None:
        raise Unreadable("the first message is no schema")
    fields = Table(window, header).tables(1, 10_000)
    rows = [row_of(f.text(0), arrow_type(f), "yes" if f.number(1, "<B") else "no") for f in fields]
    return Told("Arrow", {"columns": counted(len(fields))}, COLUMNS, rows)


def arrow_type(field: Table) -> str:
    """Name a field's type, numbers with their width."""
    kind = field.number(2, "<B")
    name, inner = ARROW.get(kind, f"type {kind}"), field.follow(3)
    if inner is None:
        return name
    if kind == 2:
        whole = Table(field.window, inner)
        return f"{'' if whole.number(1, '<B') else 'u'}int{whole.number(0, '<i')}"
    return (
        {0: "float16", 1: "float32", 2: "float64"}.get(Table(field.window, inner).number(0, "<h"), name)
        if kind == 3
        else name
    )
