"""The tracking room's MLflow door: evaluation datasets and their records."""

from typing import Any

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking import evaluation_datasets, evaluation_search
from apps.tracking.actions import Act
from apps.tracking.mlflow.base import TrackingView, as_experiment_number
from apps.tracking.mlflow.evaluation_fields import dataset_info, read_json_notes, read_records, record_info
from apps.tracking.mlflow.searches import experiment_numbers
from apps.tracking.models import EvaluationDataset, EvaluationRecord
from apps.tracking.scoping import evaluation_datasets_for, experiments_for
from apps.tracking.search.pages import Search
from maestro import limits
from maestro.api.permissions import reading_and_writing
from maestro.clock import now_ms
from maestro.filters import parse, parse_order
from maestro.mlflow import fields as read
from maestro.mlflow.paging import page_size, read_token, write_token
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


def note(request: MlflowRequest, action: Act, identity: str, *, before: Any = None, after: Any = None) -> None:
    """Write down what was done to a dataset."""
    record(request, action, object_type="EvaluationDataset", object_id=identity, before=before, after=after)


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
        by, projects = str(request.user)[:250], request.user.projects
        with transaction.atomic():
            made = evaluation_datasets.create(
                name, tags=tags, experiments=experiments, projects=projects, by=by, now=now_ms()
            )
            note(request, Act.DATASET_CREATE, made.pk, after={"name": name, "tags": tags})
        return self.shown(request, made)


class OneDataset(DatasetView):
    """GET and DELETE datasets/<id>"""

    def get(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Show a dataset."""
        return self.shown(request, self.dataset(request, dataset_id))

    def delete(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Delete a dataset with its records, for good."""
        with transaction.atomic():
            dataset = self.dataset(request, dataset_id)
            before = {"name": dataset.name, "records": dataset.record_count}
            note(request, Act.DATASET_DELETE, dataset.pk, before=before)
            dataset.delete()
        return {}


class SearchDatasets(DatasetView):
    """POST datasets/search"""

    required_role = reading_and_writing(write="viewer")

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Show one page of datasets."""
        fields = self.fields(request)
        text = read.text_or(fields, "filter_string", most=limits.JSON_BODY_BYTES)
        terms = parse_order(read.texts(fields, "order_by"), evaluation_search.VOCABULARY)
        wanted = Search(parse(text, evaluation_search.VOCABULARY), terms)
        numbers = experiment_numbers(fields) if fields.get("experiment_ids") else None
        if numbers is not None:
            numbers = list(experiments_for(request.user).filter(pk__in=numbers).values_list("pk", flat=True))
        found, following = evaluation_search.datasets(
            wanted,
            projects=request.user.projects,
            experiments=numbers,
            most=page_size(fields, 1_000, limits.MLFLOW_PAGE_MAX),
            token=read_token(fields, DATASETS),
        )
        rows = EvaluationDataset.objects.in_bulk(found)
        answer: dict[str, Any] = {"datasets": [dataset_info(rows[pk]) for pk in found]} if found else {}
        if following is not None:
            answer["next_page_token"] = write_token(following, DATASETS)
        return answer

    get = post


class Records(DatasetView):
    """GET, POST and DELETE datasets/<id>/records"""

    def get(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Show one page of records, the oldest first. They travel as text that holds JSON."""
        fields = self.fields(request)
        most = page_size(fields, limits.EVALUATION_RECORDS_PAGE, limits.EVALUATION_RECORDS_PAGE)
        place = read_token(fields, RECORDS)
        dataset = self.dataset(request, dataset_id)
        rows: list[EvaluationRecord] = evaluation_search.records(dataset, most=most + 1, place=place)
        answer: dict[str, Any] = {"records": dump([record_info(row) for row in rows[:most]]).decode()}
        if len(rows) > most:
            last = rows[most - 1]
            answer["next_page_token"] = write_token([dataset.pk, last.created_ms, last.pk], RECORDS)
        return answer

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Add records, or merge them into those with the same inputs."""
        given = read_records(self.fields(request))
        datasets, by = evaluation_datasets_for(request.user), str(request.user)[:250]
        with transaction.atomic():
            fresh, updated = evaluation_datasets.put_records(datasets, dataset_id, given, by=by, now=now_ms())
            note(request, Act.RECORDS_PUT, dataset_id, after={"inserted": fresh, "updated": updated})
        return {"inserted_count": fresh, "updated_count": updated}

    def delete(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Delete some records."""
        identities = read.texts(self.fields(request), "dataset_record_ids", limits.EVALUATION_RECORDS)
        datasets = evaluation_datasets_for(request.user)
        with transaction.atomic():
            gone = evaluation_datasets.remove_records(datasets, dataset_id, identities, now=now_ms())
            if gone:
                before = {"records": gone, "ids": identities[:100]}
                note(request, Act.RECORDS_DELETE, dataset_id, before=before)
        return {"deleted_count": gone}


class DatasetTags(DatasetView):
    """PATCH datasets/<id>/tags"""

    def patch(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Note something on a dataset."""
        fields = self.fields(request)
        if fields.get("tags") is None:
            raise read.missing("tags")
        tags = read_json_notes(fields, "tags")
        with transaction.atomic():
            if evaluation_datasets.note(evaluation_datasets_for(request.user), dataset_id, tags):
                note(request, Act.DATASET_TAG, dataset_id, after=tags)
        return {}


class OneDatasetTag(DatasetView):
    """DELETE datasets/<id>/tags/<key>"""

    def delete(self, request: MlflowRequest, dataset_id: str, key: str) -> dict[str, Any]:
        """Take a note off a dataset."""
        with transaction.atomic():
            if evaluation_datasets.drop_tag(evaluation_datasets_for(request.user), dataset_id, key):
                note(request, Act.DATASET_UNTAG, dataset_id, before={"key": key})
        return {}


class AddExperiments(DatasetView):
    """POST datasets/<id>/add-experiments"""

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Say that experiments use a dataset."""
        dataset = self.dataset(request, dataset_id)
        chosen = evaluation_datasets.chosen(experiments_for(request.user), read_experiments(self.fields(request)))
        with transaction.atomic():
            added = evaluation_datasets.link(dataset, chosen)
            if added:
                note(request, Act.DATASET_LINK, dataset.pk, after={"experiments": added})
        return self.shown(request, dataset)


class RemoveExperiments(DatasetView):
    """POST datasets/<id>/remove-experiments"""

    def post(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """Say that experiments do not use a dataset."""
        dataset = self.dataset(request, dataset_id)
        chosen = evaluation_datasets.chosen(experiments_for(request.user), read_experiments(self.fields(request)))
        with transaction.atomic():
            removed = evaluation_datasets.unlink(dataset, chosen)
            if removed:
                note(request, Act.DATASET_UNLINK, dataset.pk, before={"experiments": removed})
        return self.shown(request, dataset)


class ExperimentIds(DatasetView):
    """GET datasets/<id>/experiment-ids"""

    def get(self, request: MlflowRequest, dataset_id: str) -> dict[str, Any]:
        """List a dataset's experiments."""
        shown = self.shown(request, self.dataset(request, dataset_id))["dataset"]
        return {"experiment_ids": shown["experiment_ids"]} if shown.get("experiment_ids") else {}
