"""The tracking room: traces of requests, the files that hold their spans, and what people and judges say of them."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import TextChoices

from apps.tracking.models.experiments import Experiment
from apps.tracking.models.files import Blob
from apps.tracking.models.runs import Run
from maestro import limits
from maestro.errors import NotFound


class TraceQuerySet(models.QuerySet["Trace"]):
    """Questions about traces."""

    def fetch(self, identity: str) -> "Trace":
        """Fetch by its id. Raises NotFound."""
        found = self.select_related("experiment").filter(pk=identity).first()
        if found is None:
            raise NotFound(f"Trace with ID '{str(identity)[:64]}' not found.")
        return found


class Trace(models.Model):
    """One request that an application served: what came in, what went out, how long it took. Its maker names it.

    `run_ids` are 32 hex digits: the run that it was recorded in, then those it was linked to. They may outlive the runs.
    """

    class State(TextChoices):
        """MLflow's states."""

        STATE_UNSPECIFIED = "STATE_UNSPECIFIED"
        OK = "OK"
        ERROR = "ERROR"
        IN_PROGRESS = "IN_PROGRESS"

    id = models.CharField(primary_key=True, max_length=limits.TRACE_ID_CHARS)
    # The index of the newest traces begins with the experiment.
    experiment = models.ForeignKey(Experiment, on_delete=models.CASCADE, related_name="traces", db_index=False)
    request_ms = models.BigIntegerField()
    duration_ms = models.BigIntegerField(null=True, blank=True)
    state = models.CharField(max_length=20, choices=State, default=State.STATE_UNSPECIFIED)
    client_request_id = models.CharField(max_length=limits.NAME_CHARS, blank=True)
    request_preview = models.TextField(blank=True)
    response_preview = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    tags = models.JSONField(default=dict, blank=True)
    run_ids = ArrayField(models.CharField(max_length=32), default=list, blank=True)
    created_by = models.CharField(max_length=250, blank=True)

    objects = TraceQuerySet.as_manager()

    class Meta:
        ordering = ("-request_ms", "id")
        indexes = [
            models.Index(fields=["experiment", "-request_ms", "id"], name="tracking_trace_newest"),
            GinIndex(fields=["run_ids"], name="tracking_trace_by_run"),
        ]

    @property
    def artifact_uri(self) -> str:
        """The root of the trace's files, as MLflow clients see it."""
        return f"{self.experiment.artifact_location}/traces/{self.pk}/artifacts"

    def __str__(self) -> str:
        return str(self.tags.get("mlflow.traceName") or self.pk)


class TraceFile(models.Model):
    """A file of a trace: its spans (traces.json) or an attachment."""

    id = models.BigAutoField(primary_key=True)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="files")
    path = models.CharField(max_length=limits.PATH_BYTES)
    blob = models.ForeignKey(Blob, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace", "path"], name="tracking_one_trace_file_a_path")]

    def __str__(self) -> str:
        return self.path


class TraceLink(models.Model):
    """A link to a run of a trace that is not here yet: clients send traces in the background, and link them at once."""

    id = models.BigAutoField(primary_key=True)
    trace_id = models.CharField(max_length=limits.TRACE_ID_CHARS)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["trace_id", "run"], name="tracking_one_waiting_link")]

    def __str__(self) -> str:
        return f"{self.trace_id} to {self.run_id}"


class AssessmentQuerySet(models.QuerySet["Assessment"]):
    """Questions about assessments."""

    def fetch(self, trace: Trace, identity: str) -> "Assessment":
        """Fetch by its id, among those of one trace. Raises NotFound."""
        found = self.filter(trace=trace, identity=identity).first()
        if found is None:
            facts = {"assessment": identity[:64], "trace": trace.pk}
            raise NotFound(f"there is no assessment {identity[:64]!r}", facts=facts)
        return found

    def overridden(self, identity: str, *, valid: bool) -> Self:
        """Mark the one that another overrides, or lift the mark."""
        self.filter(identity=identity).update(is_valid=valid)
        return self


class Assessment(models.Model):
    """What a person, a judge or code says of a trace: feedback on it, or what was expected of it."""

    class Kind(TextChoices):
        """MLflow's kinds."""

        FEEDBACK = "feedback"
        EXPECTATION = "expectation"

    id = models.BigAutoField(primary_key=True)
    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="assessments", db_index=False)
    identity = models.CharField(max_length=limits.TRACE_ID_CHARS)
    name = models.CharField(max_length=limits.KEY_CHARS)
    kind = models.CharField(max_length=12, choices=Kind)
    value = models.JSONField(null=True, blank=True)
    error = models.JSONField(null=True, blank=True)
    source_type = models.CharField(max_length=30)
    source_id = models.CharField(max_length=limits.NAME_CHARS, blank=True)
    rationale = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    span_id = models.CharField(max_length=limits.TRACE_ID_CHARS, blank=True)
    overrides = models.CharField(max_length=limits.TRACE_ID_CHARS, blank=True)
    is_valid = models.BooleanField(default=True)
    created_ms = models.BigIntegerField()
    updated_ms = models.BigIntegerField()
    created_by = models.CharField(max_length=250, blank=True)

    objects = AssessmentQuerySet.as_manager()

    class Meta:
        ordering = ("created_ms", "id")
        constraints = [models.UniqueConstraint(fields=["trace", "identity"], name="tracking_one_assessment_an_id")]

    def __str__(self) -> str:
        return self.name
