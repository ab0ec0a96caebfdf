"""The tracking room: weights: safetensors and GGUF, whose headers name every tensor without loading one.

Source: github.com/huggingface/safetensors README ("Format"); github.com/ggml-org/ggml docs/gguf.md (version 2 and 3).
"""

import json
import math
import struct
from typing import Any

from apps.tracking.files.formats.told import Told, counted, row_of
from apps.tracking.files.formats.window import Cursor, Unreadable, Window, text

MOST_HEADER = 4 * 2**20
MOST_TENSORS = 50_000
GGUF_NUMBERS = {0: "<B", 1: "<b", 2: "<H", 3: "<h", 4: "<I", 5: "<i", 6: "<f", 7: "<?", 10: "<Q", 11: "<q", 12: "<d"}
GGUF_TEXT, GGUF_LIST = 8, 9
GGUF_TYPES = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    6: "Q5_0",
    7: "Q5_1",
    8: "Q8_0",
    9: "Q8_1",
    10: "Q2_K",
    11: "Q3_K",
}
GGUF_TYPES |= {
    12: "Q4_K",
    13: "Q5_K",
    14: "Q6_K",
    15: "Q8_K",
    24: "I8",
    25: "I16",
    26: "I32",
    27: "I64",
    28: "F64",
    30: "BF16",
}
COLUMNS = ("tensor", "type", "shape", "numbers")


def safetensors(window: Window) -> Told:
    """Read a header: eight bytes of its length, then JSON. Raises Unreadable."""
    length = window.number("<Q", 0)
    if not 2 <= length <= MOST_HEADER:
        raise Unreadable("the header's length is not that of a safetensors file")
    try:
        found = json.loads(bounded(window.at(8, length)))
    except (ValueError, RecursionError) as error:
        raise Unreadable("the header is not JSON") from error
    if not isinstance(found, dict):
        raise Unreadable("the header is no object")
    notes = found.pop("__metadata__", {})
    if not all(isinstance(one, dict) and is_shape(one.get("shape")) for one in found.values()):
        raise Unreadable("a tensor has no shape")
    sizes = {name: math.prod(one["shape"]) for name, one in found.items()}
    rows = [row_of(name, one.get("dtype"), shape_text(one["shape"]), sizes[name]) for name, one in found.items()]
    facts = {"tensors": counted(len(found)), "parameters": counted(sum(sizes.values()))}
    facts |= {str(name): str(value) for name, value in notes.items()} if isinstance(notes, dict) else {}
    return Told("safetensors", facts, COLUMNS, rows)


def bounded(header: bytes) -> bytes:
    """Raise Unreadable for a header of so many parts that what they are as objects weighs a hundred times their text."""
    if header.count(b"{") + header.count(b"[") > 3 * MOST_TENSORS or header.count(b",") > 8 * MOST_TENSORS:
        raise Unreadable("the header has more parts than are looked at")
    return header


def is_shape(value: Any) -> bool:
    """Say whether something is a tensor's shape."""
    return isinstance(value, list) and len(value) <= 16 and all(type(n) is int and 0 <= n < 2**48 for n in value)


def shape_text(shape: list[int]) -> str:
    """Write a shape as people do."""
    return " × ".join(map(str, shape)) or "one number"


def gguf(window: Window) -> Told:
    """Read a header: counts, notes by key, and the tensors. Raises Unreadable."""
    cursor = Cursor(window)
    if cursor.take(4) != b"GGUF":
        raise Unreadable("the file does not begin as GGUF does")
    version, tensors, notes = cursor.number("<I"), cursor.number("<Q"), cursor.number("<Q")
    if version not in (2, 3) or tensors > MOST_TENSORS or notes > MOST_TENSORS:
        raise Unreadable(f"GGUF version {version} with {tensors} tensors is not looked into")
    facts = {"version": str(version), "tensors": counted(tensors)}
    for _ in range(notes):
        name = text(gguf_text(cursor))
        facts[name] = shown(gguf_value(cursor, cursor.number("<I")))
    rows, parameters = [], 0
    for _ in range(tensors):
        name, axes = text(gguf_text(cursor)), cursor.number("<I")
        if axes > 8:
            raise Unreadable("a tensor has too many axes")
        shape = [cursor.number("<Q") for _ in range(axes)]
        kind = cursor.number("<I")
        cursor.skip(8)
        size = math.prod(shape)
        parameters += size
        rows.append(row_of(name, GGUF_TYPES.get(kind, f"type {kind}"), shape_text(shape), size))
    return Told("GGUF", facts | {"parameters": counted(parameters)}, COLUMNS, rows)


def gguf_text(cursor: Cursor) -> bytes:
    """Read a string; of a long one the beginning."""
    length = cursor.number("<Q")
    found = cursor.take(min(length, 1_000))
    cursor.skip(length - len(found))
    return found


def gguf_value(cursor: Cursor, kind: int) -> Any:
    """Read a note's value; of a list how many it has."""
    if kind in GGUF_NUMBERS:
        layout = GGUF_NUMBERS[kind]
        return struct.unpack(layout, cursor.take(struct.calcsize(layout)))[0]
    if kind == GGUF_TEXT:
        return text(gguf_text(cursor), 1_000)
    if kind != GGUF_LIST:
        raise Unreadable(f"there is no kind {kind} of notes")
    inner, count = cursor.number("<I"), cursor.number("<Q")
    if inner in GGUF_NUMBERS:
        cursor.skip(count * struct.calcsize(GGUF_NUMBERS[inner]))
    elif inner == GGUF_TEXT:
        for _ in range(count):
            cursor.skip(cursor.number("<Q"))
    else:
        raise Unreadable("lists of lists are not looked into")
    return f"{count:,} values"


def shown(value: Any) -> str:
    """Write a note's value."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
