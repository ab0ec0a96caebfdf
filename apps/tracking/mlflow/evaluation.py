"""The tracking room's MLflow door: evaluation datasets and their records."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from apps.tenants.access.people.principal import acting
from apps.tracking import evaluation_datasets, evaluation_search
from apps.tracking.mlflow.base import TrackingView, as_experiment_number
from apps.tracking.mlflow.evaluation_fields import dataset_info, read_json_notes, read_records, record_info
from apps.tracking.mlflow.searches import experiment_numbers
from apps.tracking.models import EvaluationDataset
from apps.tracking.scoping import evaluation_datasets_for, experiments_for
from apps.tracking.search.pages import Search
from maestro import limits
from maestro.api.permissions import reading_and_writing
from maestro.clock import now_ms
from maestro.filters import parse, parse_order
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.mlflow.paging import page_size, read_token
from maestro.mlflow.views import MlflowRequest, dump

MOST_EXPERIMENTS = 1_000
DATASETS, RECORDS = "mlflow.datasets.search", "mlflow.datasets.records"


class DatasetView(TrackingView):
    """One call on evaluation datasets."""

    def dataset(self, request: MlflowRequest, identity: str) -> EvaluationDataset:
        """Fetch the dataset that an address names. Raises NotFound."""
        found: EvaluationDataset = evaluation_datasets_for(request.user).fetch(identity)
        return found

    def shown(self, request: MlflowRequest, dataset: EvaluationDataset) -> dict[str, Any]:
        """Answer one dataset, with those of its experiments that the caller may see."""
        seen = experiments_for(request.user).filter(evaluation_datasets=dataset)
        return {"dataset": dataset_info(dataset, seen.order_by("pk").values_list("pk", flat=True))}


def read_experiments(fields: dict[str, Any]) -> list[int]:
    """Read experiments' numbers. Raises NotFound for what can't be one."""
    texts = read.texts(fields, "experiment_ids", MOST_EXPERIMENTS)
    return list(dict.fromkeys(as_experiment_number(text) for text in texts))


class CreateDataset(DatasetView):
    """POST datasets/create"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Make a dataset."""
        fields = self.fields(request)
        name, tags = read.text(fields, "name", limits.NAME_CHARS), read_json_notes(fields, "tags")
        experiments = evaluation_datasets.chosen(experiments_for(request.user), read_experiments(fields))
        made = evaluation_datasets.create(name, acting(request), tags=tags, experiments=experiments, now=now_ms())
        return self.shown(request, made)


class OneDataset(DatasetView):
    """GET and DELETE datasets/<id>"""

    def get(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Show a dataset."""
        return self.shown(request, self.dataset(request, dataset_id))

    def delete(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Delete a dataset with its records, for good."""
        evaluation_datasets.delete(dataset_id, acting(request))
        return {}


class SearchDatasets(DatasetView):
    """POST datasets/search"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> bytes:
        """Show one page of datasets."""
        fields = self.fields(request)
        text = read.text_or(fields, "filter_string", most=limits.JSON_BODY_BYTES)
        terms = parse_order(read.texts(fields, "order_by"), evaluation_search.VOCABULARY)
        wanted = Search(parse(text, evaluation_search.VOCABULARY), terms)
        numbers = experiment_numbers(fields) if fields.get("experiment_ids") else None
        if numbers is not None:
            numbers = list(experiments_for(request.user).filter(pk__in=numbers).values_list("pk", flat=True))
        most, token = page_size(fields, 1_000, limits.MLFLOW_PAGE_MAX), read_token(fields, DATASETS)
        find = partial(
            evaluation_search.datasets, wanted, projects=request.user.projects, experiments=numbers, token=token
        )
        found, following = paging.within(lambda count: find(most=count), most, written)
        return paging.listed("datasets", found, paging.following_token(following, DATASETS))

    get = post


def written(identities: Sequence[str]) -> list[bytes]:
    """Write datasets without their experiments."""
    rows = EvaluationDataset.objects.in_bulk(list(identities))
    return [dump(dataset_info(rows[pk])) for pk in identities if pk in rows]


class Records(DatasetView):
    """GET, POST and DELETE datasets/<id>/records"""

    def get(self, request: MlflowRequest, dataset_id: str) -> bytes:
        """Show one page of records, the oldest first. They travel as text that holds JSON."""
        fields = self.fields(request)
        most = page_size(fields, limits.EVALUATION_RECORDS_PAGE, limits.EVALUATION_RECORDS_PAGE)
        place = read_token(fields, RECORDS)
        dataset = self.dataset(request, dataset_id)

        def written(identities: Sequence[str]) -> list[bytes]:
            rows = dataset.records.in_bulk(list(identities))
            return [dump(record_info(rows[pk])) for pk in identities if pk in rows]

        found, following = paging.within(
            lambda count: evaluation_search.records(dataset, most=count, place=place), most, written
        )
        # Each is written as text on its own: of one long text the writer would reserve eight times the length.
        text = b",".join([dump(piece.decode())[1:-1] for piece in found])
        end = b'"}' if following is None else b'",' + dump(paging.following_token(following, RECORDS))[1:]
        return b"".join((b'{"records":"[', text, b"]", end))

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Add records, or merge them into those with the same inputs."""
        given = read_records(self.fields(request))
        fresh, updated = evaluation_datasets.put_records(dataset_id, given, acting(request), now=now_ms())
        return {"inserted_count": fresh, "updated_count": updated}

    def delete(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Delete some records."""
        identities = read.texts(self.fields(request), "dataset_record_ids", limits.EVALUATION_RECORDS)
        gone = evaluation_datasets.remove_records(dataset_id, identities, acting(request), now=now_ms())
        return {"deleted_count": gone}


class DatasetTags(DatasetView):
    """PATCH datasets/<id>/tags"""

    def patch(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Note something on a dataset."""
        fields = self.fields(request)
        if fields.get("tags") is None:
            raise read.missing("tags")
        evaluation_datasets.note(dataset_id, read_json_notes(fields, "tags"), acting(request))
        return {}


class OneDatasetTag(DatasetView):
    """DELETE datasets/<id>/tags/<key>"""

    def delete(self, request: MlflowRequest, dataset_id: str, key: str) -> dict[str, Any]:
        """Take a note off a dataset."""
        evaluation_datasets.drop_tag(dataset_id, key, acting(request))
        return {}


class AddExperiments(DatasetView):
    """POST datasets/<id>/add-experiments"""

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Say that experiments use a dataset."""
        self.dataset(request, dataset_id)
        chosen = evaluation_datasets.chosen(experiments_for(request.user), read_experiments(self.fields(request)))
        return self.shown(request, evaluation_datasets.link(dataset_id, chosen, acting(request)))


class RemoveExperiments(DatasetView):
    """POST datasets/<id>/remove-experiments"""

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Say that experiments do not use a dataset."""
        self.dataset(request, dataset_id)
        chosen = evaluation_datasets.chosen(experiments_for(request.user), read_experiments(self.fields(request)))
        return self.shown(request, evaluation_datasets.unlink(dataset_id, chosen, acting(request)))


class ExperimentIds(DatasetView):
    """GET datasets/<id>/experiment-ids"""

    def get(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """List a dataset's experiments."""
        shown = self.shown(request, self.dataset(request, dataset_id))["dataset"]
        return {"experiment_ids": shown["experiment_ids"]} if shown.get("experiment_ids") else {}
