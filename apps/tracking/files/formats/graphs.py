"""The tracking room: ONNX: what a model takes and gives, read from its protobuf field by field; weights are passed over.

Source: github.com/onnx/onnx onnx.proto3 (ModelProto, GraphProto, ValueInfoProto, TypeProto); protobuf encoding guide.
"""

from collections import Counter
from collections.abc import Iterator

from apps.tracking.files.formats.told import Told, counted, row_of
from apps.tracking.files.formats.window import Cursor, Unreadable, Window, text

MOST_FIELDS = 100_000
TYPES = {1: "float", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "text", 9: "boolean"}
TYPES |= {10: "float16", 11: "double", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16"}
GRAPH, OPSET, NODE, WEIGHTS, INPUT, OUTPUT = 7, 8, 1, 5, 11, 12


def fields(cursor: Cursor) -> Iterator[tuple[int, int | Cursor]]:
    """Walk a message: (number, value), where the value of a text or message is a cursor over it. Raises Unreadable."""
    for _ in range(MOST_FIELDS):
        if cursor.is_done:
            return
        head = cursor.varint()
        number, kind = head >> 3, head & 7
        if number == 0:
            raise Unreadable("the file is not what ONNX writes")
        if kind == 0:
            yield number, cursor.varint()
        elif kind == 2:
            length = cursor.varint()
            start = cursor.position
            cursor.skip(length)
            yield number, Cursor(cursor.window, start, start + length)
        elif kind in (1, 5):
            cursor.skip(8 if kind == 1 else 4)
        else:
            raise Unreadable("the file is not what ONNX writes")
    raise Unreadable("the model has more parts than are looked at")


def texts(value: int | Cursor) -> str:
    """Read a field that is a text."""
    return "" if isinstance(value, int) else text(value.take(min(value.stop - value.position, 1_000)))


def onnx(window: Window) -> Told:
    """Read a model. Raises Unreadable."""
    facts: dict[str, str] = {}
    rows: list[tuple[str, ...]] = []
    names = {1: "IR version", 2: "made by", 3: "its version"}
    for number, value in fields(Cursor(window)):
        if number in names:
            facts[names[number]] = str(value) if isinstance(value, int) else texts(value)
        elif number == OPSET and isinstance(value, Cursor):
            found = dict(fields(value))
            domain = texts(found[1]) if 1 in found else ""
            facts[f"operators{' of ' + domain if domain else ''}"] = f"set {found.get(2, '?')}"
        elif number == GRAPH and isinstance(value, Cursor):
            told, rows = graph(value)
            facts |= told
    if not rows:
        raise Unreadable("there is no graph with inputs and outputs in it")
    return Told("ONNX", facts, ("name", "is", "type", "shape"), rows)


def graph(cursor: Cursor) -> tuple[dict[str, str], list[tuple[str, ...]]]:
    """Read a graph: how many nodes and weights, and each input and output."""
    counts: Counter[int] = Counter()
    sides: dict[int, list[tuple[str, str, str]]] = {INPUT: [], OUTPUT: []}
    for number, value in fields(cursor):
        counts[number] += 1
        if number in sides and isinstance(value, Cursor):
            sides[number].append(value_info(value))
    facts = {"operations": counted(counts[NODE]), "weights": counted(counts[WEIGHTS])}
    inputs = [row_of(name, "input", kind, shape) for name, kind, shape in sides[INPUT]]
    return facts, inputs + [row_of(name, "output", kind, shape) for name, kind, shape in sides[OUTPUT]]


def value_info(cursor: Cursor) -> tuple[str, str, str]:
    """Read a value's name, type and shape."""
    name, kind, shape = "", "?", ""
    for number, value in fields(cursor):
        if number == 1:
            name = texts(value)
        elif number == 2 and isinstance(value, Cursor):
            kind, shape = type_of(value)
    return name, kind, shape


def type_of(cursor: Cursor) -> tuple[str, str]:
    """Read a tensor's type; other kinds of values are only named so."""
    tensor = next((value for number, value in fields(cursor) if number == 1), None)
    if not isinstance(tensor, Cursor):
        return "no tensor", ""
    found = dict(fields(tensor))
    element, shape = found.get(1), found.get(2)
    kind = TYPES.get(element, f"type {element}") if isinstance(element, int) else "?"
    axes = [axis(value) for number, value in fields(shape)] if isinstance(shape, Cursor) else []
    return kind, " × ".join(axes) or "one number"


def axis(value: int | Cursor) -> str:
    """Read one axis: a length, or a name for one that may vary."""
    found = dict(fields(value)) if isinstance(value, Cursor) else {}
    if 2 in found:
        return texts(found[2]) or "?"
    return str(found.get(1, "?"))
