"""The tracking room's admin: the run list as a CSV file."""

import csv
from collections.abc import Iterator, Sequence

from django.http import HttpRequest, HttpResponse

from apps.tracking import key_names
from apps.tracking.admin.finding import Scope, find
from apps.tracking.listing import Column
from apps.tracking.models import Run
from maestro import limits
from maestro.clock import from_ms

MAX_CSV, CSV_PAGE = 10_000, 500


class Echo:
    """A file that hands back what is written to it, for csv.writer."""

    def write(self, line: str) -> str:
        """Answer the line."""
        return line


def safe_cell(value: object) -> object:
    """Text that a spreadsheet would run as a formula is made text."""
    is_formula = isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}
    return f"'{value}" if is_formula else value


def facts_of(run: Run) -> list[object]:
    """The columns that every run has."""
    seconds = None if run.end_ms is None else max(run.end_ms - run.start_ms, 0) / 1000
    return [run.pk.hex, run.name, run.experiment.name, run.status, from_ms(run.start_ms).isoformat(), seconds]


def csv_lines(request: HttpRequest, scope: Scope, columns: Sequence[Column]) -> Iterator[str]:
    """The rows of the list as CSV, a page of runs at a time."""
    writer = csv.writer(Echo())
    heads = ["run_id", "name", "experiment", "status", "started", "seconds"]
    yield writer.writerow([*heads, *(column.key for column in columns)])
    after, left = "", MAX_CSV
    while left > 0:
        found = find(request, scope, most=min(left, CSV_PAGE), after=after)
        runs = Run.objects.select_related("experiment").in_bulk(found.ids)
        values = key_names.values(found.ids, columns, chars=limits.TAG_VALUE_CHARS)
        for run in (runs[run_id] for run_id in found.ids if run_id in runs):
            cells = [values.get((run.pk, column.key)) for column in columns]
            yield writer.writerow([safe_cell(value) for value in (*facts_of(run), *cells)])
        after, left = found.following, left - len(found.ids)
        if not after:
            return


def csv_response(request: HttpRequest, scope: Scope, columns: Sequence[Column]) -> HttpResponse:
    """The list as a file, at most 10,000 runs."""
    answer = HttpResponse("".join(csv_lines(request, scope, columns)), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="runs.csv"'
    return answer
