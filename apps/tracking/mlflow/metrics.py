"""The tracking room's MLflow door: a metric's points."""

from typing import Any

from django.http import HttpRequest

from apps.tracking import documents, history
from apps.tracking.mlflow.base import TrackingView
from maestro.mlflow import fields as read
from maestro.mlflow.paging import page_size, read_token, write_token

PURPOSE = "mlflow.get-history"


class GetHistory(TrackingView):
    """GET metrics/get-history"""

    def get(self, request: HttpRequest) -> dict[str, Any]:
        """Show a metric's points in order of time, step and value; all of them unless max_results is given."""
        fields = self.fields(request)
        run_id = self.run_in(fields)
        key = read.text(fields, "metric_key")
        most = page_size(fields, history.EVERYTHING)
        place = read_place(fields)
        documents.require(run_id, request.user.project_id)
        points, following = history.page(run_id, key, after=place, most=most)
        answer: dict[str, Any] = {"metrics": points.rows(key)} if len(points) else {}
        if following is not None:
            time, step, value = following
            answer["next_page_token"] = write_token([time, step, history.spell(value)], PURPOSE)
        return answer


def read_place(fields: dict[str, Any]) -> history.Place | None:
    """Read the page token as the place to go on from."""
    token = read_token(fields, PURPOSE)
    if token is None:
        return None
    time, step, value = token
    return int(time), int(step), read.as_double(value, "page_token")
