"""The tracking room's MLflow door: searches."""

from typing import Any

from apps.tracking import experiments
from apps.tracking.mlflow.base import TrackingView, as_experiment_number, experiment_info
from apps.tracking.runs import documents
from apps.tracking.search import pages
from apps.tracking.search.pages import Search
from maestro import limits
from maestro.api.permissions import reading_and_writing
from maestro.errors import NotFound
from maestro.filters import Vocabulary, parse, parse_order
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.mlflow.paging import page_size, read_token
from maestro.mlflow.views import MlflowRequest, dump

RUNS, EXPERIMENTS = "mlflow.runs.search", "mlflow.experiments.search"
MOST_EXPERIMENTS = 10_000


class SearchRuns(TrackingView):
    """POST runs/search"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> bytes:
        """Show one page of runs."""
        fields = self.fields(request)
        wanted = read_search(fields, pages.RUNS, "run_view_type")
        numbers = experiment_numbers(fields)
        most = page_size(fields, 1000)
        token = read_token(fields, RUNS)
        homes = experiments.visible(numbers, request.user.projects)
        runs, following = paging.within(
            lambda count: pages.runs(wanted, homes, most=count, token=token), most, documents.written
        )
        return paging.listed("runs", runs, paging.following_token(following, RUNS))


class SearchExperiments(TrackingView):
    """POST and GET experiments/search"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> bytes:
        """Show one page of experiments."""
        fields = self.fields(request)
        wanted = read_search(fields, pages.EXPERIMENTS, "view_type")
        most, token, reach = page_size(fields, None), read_token(fields, EXPERIMENTS), request.user.projects
        found, following = paging.within(
            lambda count: pages.experiments(wanted, projects=reach, most=count, token=token),
            most,
            lambda some: [dump(experiment_info(told)) for told in experiments.fetch_many(some)],
        )
        return paging.listed("experiments", found, paging.following_token(following, EXPERIMENTS))

    get = post


def read_search(fields: dict[str, Any], vocabulary: Vocabulary, view_field: str) -> Search:
    """Read filter, order and view."""
    text = read.text_or(fields, "filter", most=limits.JSON_BODY_BYTES)
    terms = parse_order(read.texts(fields, "order_by"), vocabulary)
    view = read.choice(fields, view_field, pages.VIEWS, "ACTIVE_ONLY") or "ACTIVE_ONLY"
    return Search(parse(text, vocabulary), terms, view)


def experiment_numbers(fields: dict[str, Any]) -> list[int]:
    """Read the numbers of experiments; what can't be one names nothing."""
    numbers = []
    for text in read.texts(fields, "experiment_ids", MOST_EXPERIMENTS):
        try:
            numbers.append(as_experiment_number(text))
        except NotFound:
            continue
    return sorted(set(numbers))
