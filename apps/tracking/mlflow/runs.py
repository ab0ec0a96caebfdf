"""The tracking room's MLflow door: runs and what they log."""

from typing import Any
from uuid import UUID

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.metrics import ingest
from apps.tracking.metrics.batch import Batch
from apps.tracking.mlflow.base import TrackingView, experiment_number
from apps.tracking.mlflow.batches import model_point, read_batch, read_params, read_point, read_series, read_tags
from apps.tracking.mlflow.bodies import slow_metric, slow_pair
from apps.tracking.runs import documents, life
from apps.tracking.scoping import runs_for
from maestro import limits
from maestro.clock import now_ms
from maestro.mlflow import fields as read
from maestro.mlflow.views import MlflowRequest, read_fields

STATUSES = ("RUNNING", "SCHEDULED", "FINISHED", "FAILED", "KILLED")


class CreateRun(TrackingView):
    """POST runs/create"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Begin a run."""
        fields = self.fields(request)
        now = now_ms()
        beginning = life.Beginning(
            experiment_id=experiment_number(fields, default=0),
            user=read.text_or(fields, "user_id", most=250),
            start_ms=now if (start := read.time_or(fields, "start_time", None)) is None else start,
            name=read.text_or(fields, "run_name", most=limits.TAG_VALUE_CHARS),
            tags=read_tags([slow_pair(tag, f"tags[{i}].") for i, tag in enumerate(read.rows(fields, "tags", 1000))]),
        )
        return {"run": life.begin(beginning, projects=request.user.projects, by=str(request.user)[:250], now=now)}


class GetRun(TrackingView):
    """GET runs/get"""

    def get(self, request: MlflowRequest) -> bytes:
        """Show a run."""
        run_id = self.run_in(self.fields(request))
        return b'{"run":' + documents.fetch(run_id, request.user.projects) + b"}"


class UpdateRun(TrackingView):
    """POST runs/update"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """End or rename a run."""
        fields = self.fields(request)
        run_id, name = self.run_in(fields), read.text_or(fields, "run_name", most=limits.TAG_VALUE_CHARS)
        if not name:
            return self.change(request, run_id, fields)
        with transaction.atomic():
            before, _ = held(request, run_id)
            answer = self.change(request, run_id, fields, name)
            if before != name:
                note(request, Act.RUN_RENAME, run_id, before={"name": before}, after={"name": name})
        return answer

    def change(self, request: MlflowRequest, run_id: UUID, fields: dict[str, Any], name: str = "") -> dict[str, Any]:
        """Write what the call says."""
        info = life.change(
            run_id,
            status=read.choice(fields, "status", STATUSES),
            end_ms=read.time_or(fields, "end_time", None),
            name=name,
            projects=request.user.projects,
            now=now_ms(),
        )
        return {"run_info": info}


class DeleteRun(TrackingView):
    """POST runs/delete"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Put a run into the trash."""
        run_id = self.run_in(self.fields(request))
        with transaction.atomic():
            _, was_deleted = held(request, run_id)
            life.throw_away(run_id, projects=request.user.projects, now=now_ms())
            if not was_deleted:
                note(request, Act.RUN_DELETE, run_id, before={"lifecycle_stage": "active"})
        return {}


class RestoreRun(TrackingView):
    """POST runs/restore"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a run out of the trash."""
        run_id = self.run_in(self.fields(request))
        with transaction.atomic():
            _, was_deleted = held(request, run_id)
            life.bring_back(run_id, projects=request.user.projects)
            if was_deleted:
                note(request, Act.RUN_RESTORE, run_id, before={"lifecycle_stage": "deleted"})
        return {}


class LogBatch(TrackingView):
    """POST runs/log-batch"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Store metrics, params and tags, all or nothing."""
        batch = read_batch(self.body(request))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}


class LogMetric(TrackingView):
    """POST runs/log-metric"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Store one point."""
        body = self.body(request)
        batch = read_point(body) or self.read_slowly(read_fields(body))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}

    def read_slowly(self, fields: dict[str, Any]) -> Batch:
        """Read a point that is spelled loosely, or name what is wrong with it."""
        batch = Batch(self.run_in(fields))
        metric = slow_metric(fields)
        metric.key = read.as_key(metric.key, "key")
        batch.series = read_series([metric])
        batch.of_models = [model_point(metric)] if metric.model_id else []
        return batch


class LogParam(TrackingView):
    """POST runs/log-parameter"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Store one param."""
        fields = self.fields(request)
        pair = slow_pair(fields)
        pair.key = read.as_key(pair.key, "key")
        batch = Batch(self.run_in(fields), params=read_params([pair]))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}


class SetTag(TrackingView):
    """POST runs/set-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Store one tag."""
        fields = self.fields(request)
        pair = slow_pair(fields)
        pair.key = read.as_key(pair.key, "key")
        batch = Batch(self.run_in(fields), tags=read_tags([pair]))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}


class DeleteTag(TrackingView):
    """POST runs/delete-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a tag off a run."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        run_id = self.run_in(fields)
        with transaction.atomic():
            ingest.drop_tag(run_id, key, projects=request.user.projects, now=now_ms())
            note(request, Act.RUN_UNTAG, run_id, before={"tag": key})
        return {}


def held(request: MlflowRequest, run_id: UUID) -> tuple[str, bool]:
    """Lock a run's row and read its name and whether it is in the trash; nothing of a run that is not there."""
    row = (
        runs_for(request.user)
        .select_for_update(of=("self",))
        .filter(pk=run_id)
        .values_list("name", "deleted_ms")
        .first()
    )
    return (row[0], row[1] is not None) if row else ("", False)


def note(
    request: MlflowRequest, action: Act, run_id: UUID, *, before: dict[str, Any], after: dict[str, Any] | None = None
) -> None:
    """Record what happened to a run, in the transaction of it. What runs log of themselves is not recorded."""
    record(request, action, object_type="Run", object_id=run_id.hex, before=before, after=after)
