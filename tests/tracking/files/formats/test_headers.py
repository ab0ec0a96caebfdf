"""What is told of a file by its header: as its program would tell it, and nothing of a broken one but that it is."""

import random
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.tracking.files.formats.columns import MOST_NESTED, parquet
from apps.tracking.files.formats.reading import READERS, is_executable
from apps.tracking.files.formats.tensors import MOST_TENSORS
from apps.tracking.files.formats.told import Told
from apps.tracking.files.formats.window import MOST_BYTES, Unreadable, Window
from tests.tracking.files.formats.made import MAKERS


def window_on(data: bytes) -> Window:
    def read(start: int, stop: int) -> Iterator[bytes]:
        yield data[start:stop]

    return Window(read, len(data))


def made(ending: str, folder: Path) -> bytes:
    MAKERS[ending](folder / f"file{ending}")
    return (folder / f"file{ending}").read_bytes()


def told(ending: str, folder: Path) -> Told:
    return READERS[ending](window_on(made(ending, folder)))


def test_every_reader_is_tried_on_a_file_of_its_program() -> None:
    assert set(MAKERS) == set(READERS)


def test_safetensors_names_each_tensor(tmp_path: Path) -> None:
    found = told(".safetensors", tmp_path)
    assert found.facts == {"tensors": "3", "parameters": "17", "format": "np", "made": "here"}
    rows = {row[0]: row[1:] for row in found.rows}
    assert rows["layer.weight"] == ("F32", "4 × 3", "12")
    assert rows["layer.bias"] == ("F16", "4", "4")


def test_gguf_tells_its_notes_and_tensors(tmp_path: Path) -> None:
    found = told(".gguf", tmp_path)
    assert found.facts["general.architecture"] == "llama"
    assert found.facts["general.name"] == "a small one"
    assert found.facts["llama.context_length"] == "512"
    assert found.facts["tokenizer.ggml.tokens"] == "3 values"
    assert found.facts["parameters"] == "16"
    assert {row[0]: row[1:3] for row in found.rows} == {"layer.weight": ("F32", "3 × 4"), "layer.bias": ("F16", "4")}


def test_parquet_tells_columns_and_rows(tmp_path: Path) -> None:
    found = told(".parquet", tmp_path)
    assert (found.facts["rows"], found.facts["row groups"]) == ("2", "1")
    assert found.facts["written by"].startswith("parquet-cpp-arrow")
    rows = {row[0]: row[1] for row in found.rows}
    assert rows == {
        "name": "text",
        "age": "int32",
        "at": "timestamp (ms)",
        "inner.x": "int64",
        "inner.y.list.element": "double",
    }


@pytest.mark.parametrize("ending", [".arrow", ".feather"])
def test_arrow_tells_its_schema(tmp_path: Path, ending: str) -> None:
    found = told(ending, tmp_path)
    rows = [row[:2] for row in found.rows]
    assert rows == [("name", "text"), ("age", "int32"), ("at", "timestamp"), ("inner", "struct")]


def test_onnx_tells_what_goes_in_and_out(tmp_path: Path) -> None:
    found = told(".onnx", tmp_path)
    assert (found.facts["made by"], found.facts["operators"], found.facts["weights"]) == ("tests", "set 17", "1")
    assert found.rows == [("x", "input", "float", "batch × 3"), ("y", "output", "float", "batch × 2")]


@pytest.mark.parametrize("ending", READERS)
def test_a_broken_file_is_unreadable_or_told_within_bounds(tmp_path: Path, ending: str) -> None:
    data, random_ = made(ending, tmp_path), random.Random(7)  # noqa: S311 the same faults each time
    broken = [data[: random_.randrange(len(data))] for _ in range(60)]
    for _ in range(400):
        bytes_ = bytearray(data)
        for _ in range(random_.randrange(1, 6)):
            place = random_.choice([random_.randrange(min(200, len(data))), random_.randrange(len(data))])
            bytes_[place] = random_.choice([0, 1, 0x7F, 0x80, 0xFF, random_.randrange(256)])
        broken.append(bytes(bytes_))
    broken += [b"", b"x", bytes(64), b"\xff" * 4_096]
    for one in broken:
        window = window_on(one)
        try:
            found = READERS[ending](window)
        except (Unreadable, OverflowError, ValueError):
            found = Told("none")
        assert window.left <= MOST_BYTES
        assert len(found.shown_rows) <= 300


def test_what_may_run_code_is_called_so() -> None:
    assert all(is_executable(path) for path in ("a/model.pkl", "B.PT", "x.joblib"))
    assert not any(is_executable(path) for path in ("model.safetensors", "a.csv", "pkl"))


def test_a_header_of_very_many_small_parts_is_left_alone() -> None:
    """Their objects would weigh a hundred times what the header does."""
    tensors = ",".join(f'"{n:x}":{{"shape":[]}}' for n in range(2 * MOST_TENSORS))
    lists = '"__metadata__":{"a":[' + "[]," * 500_000 + "[]]}"
    for header in (tensors, lists):
        text = f"{{{header}}}".encode()
        with pytest.raises(Unreadable, match="more parts"):
            READERS[".safetensors"](window_on(len(text).to_bytes(8, "little") + text))


def test_a_model_of_very_many_small_fields_is_left_early() -> None:
    """Each message below the bound of one, all together far beyond what a page may cost."""

    def message(number: int, inner: bytes) -> bytes:
        return bytes([number << 3 | 2]) + varint(len(inner)) + inner

    inputs = message(11, b"\x10\x00" * 90_000) * 20
    window = window_on(message(7, inputs))
    with pytest.raises(Unreadable, match="more parts"):
        READERS[".onnx"](window)


def varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def test_columns_within_columns_are_left_early() -> None:
    """Each column's name has those of all columns above it in it: a few thousand of those took minutes."""
    deep = footer(levels=MOST_NESTED + 1)
    with pytest.raises(Unreadable, match="nested deeper"):
        parquet(window_on(deep))
    names = [row[0] for row in parquet(window_on(footer(levels=3))).rows]
    assert names == ["g.g.g.c"]


def footer(levels: int) -> bytes:
    """A Parquet file of no rows: so many columns within each other, and one at the end."""

    def element(name: bytes, children: int) -> bytes:
        below = b"\x15" + varint(2 * children) if children else b""
        return b"\x48" + varint(len(name)) + name + below + b"\x00"

    elements = [element(b"root", 1), *[element(b"g", 1)] * levels, element(b"c", 0)]
    listed = b"\x19\xfc" + varint(len(elements)) + b"".join(elements)
    told = b"\x15\x02" + listed + b"\x16\x00" + b"\x19\x0c" + b"\x00"
    return b"PAR1" + told + struct.pack("<I", len(told)) + b"PAR1"
