"""The tracking room: runs as a Parquet file.

This alone imports pyarrow, which costs a process tens of megabytes and a quarter of a second: only the command
`export_runs` imports this module, never a web worker.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from apps.tracking.exports.rows import FACTS, Column, Row, rows

GROUP_ROWS = 10_000
TIME = pa.timestamp("ms", tz="UTC")
FACT_TYPES = {"experiment_id": pa.int64(), "started_at": TIME, "ended_at": TIME, "seconds": pa.float64()}


def schema_of(columns: Sequence[Column]) -> pa.Schema:
    """Say what the columns hold: facts by their kind, metrics as doubles, params and tags as text."""
    facts = [(name, FACT_TYPES.get(name, pa.string())) for name in FACTS]
    chosen = [(one.title, pa.float64() if one.group == "metrics" else pa.string()) for one in columns]
    return pa.schema([*facts, *chosen])


def table_of(some: Sequence[Row], columns: Sequence[Column], schema: pa.Schema) -> pa.Table:
    """Lay runs out as columns. NaN and infinities are doubles like any other; null is what a run lacks."""
    values: list[Any] = [[row.facts[name] for row in some] for name in FACTS]
    values += [[number(column, column.of(row)) for row in some] for column in columns]
    return pa.table([pa.array(one, field.type) for one, field in zip(values, schema, strict=True)], schema=schema)


def number(column: Column, value: Any) -> Any:
    """A metric as a double: NaN and infinities come as their names."""
    return float(value) if column.group == "metrics" and value is not None else value


def write(path: Path, pages: Iterable[Sequence[Any]], columns: Sequence[Column], tell: Callable[[int], None]) -> int:
    """Write a file, ten thousand runs in memory at a time; returns how many there are. `tell` hears how many so far."""
    schema, count = schema_of(columns), 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for some in gathered(pages):
            writer.write_table(table_of(some, columns, schema))
            count += len(some)
            tell(count)
    return count


def gathered(pages: Iterable[Sequence[Any]]) -> Iterator[list[Row]]:
    """Gather pages to what a row group shall hold."""
    waiting: list[Row] = []
    for page in pages:
        waiting += rows(page)
        if len(waiting) >= GROUP_ROWS:
            yield waiting
            waiting = []
    if waiting:
        yield waiting
