"""The tracking room: runs as rows of a file, of any number, a page in memory at a time.

CSV is for spreadsheets: one column a name, text that would run as a formula is disarmed by a quote before it, and a
plain number stays what it is.
JSON Lines is exact: everything that a run carries, and what JSON has no number for is the text "NaN", "Infinity" or
"-Infinity", as MLflow's clients write it.
"""

import csv
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

import orjson
from django_tenants.utils import tenant_context

from maestro.clock import from_ms
from maestro.database.statements import execute
from maestro.errors import Invalid

ROWS = """SELECT r.id, r.name, r.experiment_id, e.name, p.slug, r.user_name, r.status, r.start_ms, r.end_ms, r.deleted_ms,
 (SELECT json_object_agg(k.name, l.value ORDER BY k.name) FROM tracking_latestmetric l
  JOIN tracking_metrickey k ON k.id = l.key_id WHERE l.run_id = r.id),
 (SELECT json_object_agg(a.key, a.value ORDER BY a.key) FROM tracking_param a WHERE a.run_id = r.id),
 (SELECT json_object_agg(t.key, t.value ORDER BY t.key) FROM tracking_tag t WHERE t.run_id = r.id)
 FROM unnest(%(runs)s::uuid[]) WITH ORDINALITY AS w (id, place) JOIN tracking_run r ON r.id = w.id
 JOIN tracking_experiment e ON e.id = r.experiment_id JOIN tracking_project p ON p.id = e.project_id ORDER BY w.place"""
NAMES = """SELECT 'metrics', k.name FROM tracking_metrickey k WHERE k.id IN
  (SELECT l.key_id FROM tracking_latestmetric l WHERE l.run_id = ANY(%(runs)s::uuid[]))
 UNION SELECT 'params', a.key FROM tracking_param a WHERE a.run_id = ANY(%(runs)s::uuid[])
 UNION SELECT 'tags', t.key FROM tracking_tag t WHERE t.run_id = ANY(%(runs)s::uuid[])"""
FACTS = (
    "run_id",
    "name",
    "experiment_id",
    "experiment",
    "project",
    "user",
    "status",
    "started_at",
    "ended_at",
    "seconds",
    "lifecycle_stage",
)
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson"}
GROUPS = ("metrics", "params", "tags")
MOST_COLUMNS = 1_000
FORMULA = ("=", "+", "-", "@", "\t", "\r")
NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
Pages = Callable[[], Iterable[Sequence[uuid.UUID]]]
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """A run as a file shows it."""

    facts: dict[str, Any]
    metrics: dict[str, Any]
    params: dict[str, str]
    tags: dict[str, str]


@dataclass(frozen=True)
class Column:
    """A column of a table: `metrics.auc`, `params.depth`, `tags.stage`."""

    group: str
    name: str

    @property
    def title(self) -> str:
        """The column's head."""
        return f"{self.group}.{self.name}"

    def of(self, row: Row) -> Any:
        """What a run has there; None for nothing."""
        values: dict[str, Any] = getattr(row, self.group)
        return values.get(self.name)


def read_columns(titles: Sequence[str]) -> list[Column]:
    """Read columns by their heads, once each. Raises Invalid."""
    columns = []
    for title in dict.fromkeys(titles):
        group, dot, name = title.partition(".")
        if group not in GROUPS or not dot or not name:
            raise Invalid(
                f"{title[:100]!r} is no column; write metrics.<name>, params.<name> or tags.<name>", "bad_column"
            )
        columns.append(Column(group, name))
    return bounded(columns)


def bounded(columns: list[Column]) -> list[Column]:
    """Raise Invalid for more columns than a table may have."""
    if len(columns) > MOST_COLUMNS:
        raise Invalid(
            f"these runs have more than {MOST_COLUMNS} names; choose columns, or take jsonl", "too_many_columns"
        )
    return columns


def all_columns(pages: Iterable[Sequence[uuid.UUID]]) -> list[Column]:
    """Find every name that these runs carry: metrics, then params, then tags. Raises Invalid for too many."""
    seen: set[tuple[str, str]] = set()
    for page in pages:
        seen |= set(execute(NAMES, {"runs": list(page)}))  # type: ignore[arg-type]
        bounded([Column(*pair) for pair in seen])
    return [Column(*pair) for pair in sorted(seen)]


def rows(page: Sequence[uuid.UUID]) -> list[Row]:
    """Read a page of runs, in one statement."""
    made = []
    for record in execute(ROWS, {"runs": list(page)}):
        run_id, name, number, experiment, project, user, status, start_ms, end_ms, deleted_ms = record[:10]
        facts = {
            "run_id": run_id.hex,
            "name": name,
            "experiment_id": number,
            "experiment": experiment,
            "project": project,
            "user": user,
            "status": status,
            "started_at": from_ms(start_ms),
            "ended_at": None if end_ms is None else from_ms(end_ms),
            "seconds": None if end_ms is None else max(end_ms - start_ms, 0) / 1000,
            "lifecycle_stage": "active" if deleted_ms is None else "deleted",
        }
        made.append(Row(facts, *(group or {} for group in record[10:])))
    return made


def shown(value: Any) -> Any:
    """A fact as text files show it: times are RFC 3339 with milliseconds."""
    return value.isoformat(timespec="milliseconds") if isinstance(value, datetime) else value


class Echo:
    """A file that hands back what is written to it, for csv.writer."""

    def write(self, line: str) -> str:
        """Answer the line."""
        return line


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is made text; a plain number, as `-1`, stays one."""
    is_formula = isinstance(value, str) and value.startswith(FORMULA) and not NUMBER.fullmatch(value)
    return f"'{value}" if is_formula else value


def cell_of(column: Column, row: Row) -> object:
    """A cell: a metric is a number, or NaN, Infinity or -Infinity, which no user wrote; the rest is text."""
    value = column.of(row)
    return value if column.group == "metrics" else safe_cell(value)


def csv_pieces(pages: Iterable[Sequence[uuid.UUID]], columns: Sequence[Column]) -> Iterator[bytes]:
    """Write runs as CSV, a piece for each page."""
    writer = csv.writer(Echo())
    yield writer.writerow([safe_cell(head) for head in (*FACTS, *(column.title for column in columns))]).encode()
    for page in pages:
        lines = [
            writer.writerow(
                [*(safe_cell(shown(row.facts[name])) for name in FACTS), *(cell_of(column, row) for column in columns)]
            )
            for row in rows(page)
        ]
        yield "".join(lines).encode()


def jsonl_pieces(pages: Iterable[Sequence[uuid.UUID]], columns: Sequence[Column] = ()) -> Iterator[bytes]:
    """Write runs as JSON, one a line; with columns, only those names."""
    chosen = {group: {column.name for column in columns if column.group == group} for group in GROUPS}
    for page in pages:
        lines = []
        for row in rows(page):
            groups = {
                group: {k: v for k, v in getattr(row, group).items() if not columns or k in chosen[group]}
                for group in GROUPS
            }
            facts = {name: shown(value) for name, value in row.facts.items()}
            lines.append(orjson.dumps(facts | groups, option=orjson.OPT_APPEND_NEWLINE))
        yield b"".join(lines)


def pieces(format: str, pages: Pages, titles: Sequence[str] = ()) -> Iterator[bytes]:
    """Write runs as a text file. Its columns are looked for first, which walks through the runs once more.

    Raises Invalid, before the first piece, for bad columns or too many.
    """
    columns = read_columns(titles)
    if format == "jsonl":
        return jsonl_pieces(pages(), columns)
    return csv_pieces(pages(), columns or all_columns(pages()))


def inside(tenant: Any, steps: Iterator[T]) -> Iterator[T]:
    """Take each step of a walk inside its tenant, and stand nowhere between steps.

    A streamed body is asked for by a server that knows no tenant, while the thread may have served another one.
    """
    while True:
        with tenant_context(tenant):
            step = next(steps, None)
        if step is None:
            return
        yield step
