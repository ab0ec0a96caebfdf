"""The tracking room's MLflow door: a metric's points."""

from typing import Any
from uuid import UUID

import msgspec

from apps.tracking.metrics import history, sampling
from apps.tracking.metrics.points import spell
from apps.tracking.mlflow.base import TrackingView
from apps.tracking.runs import documents
from apps.tracking.scoping import runs_for
from apps.tracking.search.predicates import as_uuids
from maestro import limits
from maestro.errors import Invalid
from maestro.mlflow import fields as read
from maestro.mlflow.paging import page_size, read_token, write_token
from maestro.mlflow.views import MlflowRequest

PURPOSE = "mlflow.get-history"
POINT_BYTES = 150  # of one written, without its key, at most
WRITER = msgspec.json.Encoder()


class GetHistory(TrackingView):
    """GET metrics/get-history"""

    def get(self, request: MlflowRequest) -> bytes:
        """Show a metric's points in order of time, step and value; without max_results as many as one answer has."""
        fields = self.fields(request)
        run_id = self.run_in(fields)
        key = read.text(fields, "metric_key")
        most = page_size(fields, points_within(key))
        place = read_place(fields)
        documents.require(run_id, request.user.projects)
        points, following = history.page(run_id, key, after=place, most=most)
        answer: dict[str, Any] = {"metrics": points.rows(key)} if len(points) else {}
        if following is not None:
            time, step, value = following
            answer["next_page_token"] = write_token([time, step, spell(value)], PURPOSE)
        return WRITER.encode(answer)


def points_within(key: str) -> int:
    """How many points of a metric one answer has."""
    return limits.ANSWER_BYTES // (POINT_BYTES + len(key.encode()))


def read_place(fields: dict[str, Any]) -> history.Place | None:
    """Read the page token as the place to go on from."""
    token = read_token(fields, PURPOSE)
    if token is None:
        return None
    time, step, value = token
    return int(time), int(step), read.as_double(value, "page_token")


MOST_RUNS, MOST_SAMPLES, MOST_ROWS = 100, 2_500, 25_000


class SampleHistory(TrackingView):
    """GET metrics/get-history-bulk-interval"""

    def get(self, request: MlflowRequest) -> bytes:
        """Show evenly spaced points of one metric of several runs, first and last of the interval included."""
        fields = self.fields(request)
        runs = runs_in(read.texts(fields, "run_ids", MOST_RUNS), "run_ids", request)
        key = read.text(fields, "metric_key")
        most = read.integer_or(fields, "max_results", 320, least=1, most=MOST_SAMPLES)
        interval = [read.as_integer(fields[name], name) for name in ("start_step", "end_step") if name in fields]
        if len(interval) == 1 or (interval and interval[0] > interval[1]):
            raise Invalid("If either start step or end step is specified, both must be, in order.", "bad_interval")
        first, last = interval or (None, None)
        most = max(1, min(most, points_within(key) // max(len(runs), 1)))
        rows: list[Any] = []
        for run_id in runs:
            points = sampling.sample(run_id, key, most=most, first_step=first, last_step=last)
            rows += points.rows(key, run_id.hex)
        return WRITER.encode({"metrics": rows} if rows else {})


def runs_in(texts: list[str], name: str, request: MlflowRequest) -> list[UUID]:
    """Read run ids, at least one; runs that are not there have no points, as in the original. Raises Invalid."""
    if not texts:
        raise read.missing(name)
    wanted = as_uuids(texts)
    there = set(runs_for(request.user).filter(pk__in=wanted).values_list("pk", flat=True))
    return [run_id for run_id in wanted if run_id in there]


class BulkHistory(TrackingView):
    """GET metrics/get-history-bulk"""

    def get(self, request: MlflowRequest) -> bytes:
        """Show the points of one metric of several runs, by run, then time, step and value."""
        fields = self.fields(request)
        runs = runs_in(read.texts(fields, "run_id", MOST_RUNS), "run_id", request)
        key = read.text(fields, "metric_key")
        most = min(read.integer_or(fields, "max_results", MOST_ROWS, least=1), MOST_ROWS)
        rows: list[Any] = []
        for run_id in sorted(runs):
            if len(rows) >= most:
                break
            points, _ = history.page(run_id, key, most=most - len(rows))
            rows += points.rows(key, run_id.hex)
        return WRITER.encode({"metrics": rows})
