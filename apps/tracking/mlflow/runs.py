"""The tracking room's MLflow door: runs and what they log."""

from typing import Any

from apps.tenants.access.people.principal import acting
from apps.tracking.metrics import ingest
from apps.tracking.metrics.batch import Batch
from apps.tracking.mlflow.base import TrackingView, experiment_number
from apps.tracking.mlflow.batches import model_point, read_batch, read_params, read_point, read_series, read_tags
from apps.tracking.mlflow.bodies import slow_metric, slow_pair
from apps.tracking.runs import documents, life, trash
from apps.tracking.runs import tags as run_tags
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
        begun, tags = life.begin(beginning, projects=request.user.projects, by=str(request.user)[:250], now=now)
        pairs = [{"key": key, "value": value} for key, value in tags.items()]
        return {"run": {"info": documents.info_of(begun), "data": {"tags": pairs}}}


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
        said = life.Change(
            read.text_or(fields, "run_name", most=limits.TAG_VALUE_CHARS),
            read.choice(fields, "status", STATUSES),
            read.time_or(fields, "end_time", None),
        )
        if said.name:
            found = life.change(self.run_in(fields), said, acting(request), now=now_ms(), is_own_word=True)
        else:
            found = life.say(self.run_in(fields), said, projects=request.user.projects, now=now_ms())
        return {"run_info": documents.info_of(found)}


class DeleteRun(TrackingView):
    """POST runs/delete"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Put a run into the trash."""
        trash.throw_away([self.run_in(self.fields(request))], acting(request), at_ms=now_ms())
        return {}


class RestoreRun(TrackingView):
    """POST runs/restore"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a run out of the trash."""
        trash.bring_back([self.run_in(self.fields(request))], acting(request))
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
        run, pair = self.run_in(fields), slow_pair(fields)
        pair.key = read.as_key(pair.key, "key")
        batch = Batch(run, params=read_params([pair]))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}


class SetTag(TrackingView):
    """POST runs/set-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Store one tag."""
        fields = self.fields(request)
        run, pair = self.run_in(fields), slow_pair(fields)
        pair.key = read.as_key(pair.key, "key")
        batch = Batch(run, tags=read_tags([pair]))
        ingest.write(batch, projects=request.user.projects, now=now_ms())
        return {}


class DeleteTag(TrackingView):
    """POST runs/delete-tag"""

    def post(self, request: MlflowRequest) -> dict[str, Any]:
        """Take a tag off a run."""
        fields = self.fields(request)
        key = read.text(fields, "key", limits.KEY_CHARS)
        run_tags.untag(self.run_in(fields), key, acting(request), at_ms=now_ms())
        return {}
