"""The tracking room: metric points, packed and single, and the latest value of each metric."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from apps.tracking.models.runs import Run
from maestro import limits


class MetricKey(models.Model):
    """A metric's name, stored once a tenant."""

    id = models.AutoField(primary_key=True)
    name = models.CharField(max_length=limits.KEY_CHARS, unique=True)

    def __str__(self) -> str:
        return self.name


class MetricPoint(models.Model):
    """One point that came alone; a task folds many into a chunk. Read points and chunks together."""

    pk = models.CompositePrimaryKey("run_id", "key_id", "step", "timestamp_ms", "value")
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="points", db_index=False, db_constraint=False)
    key = models.ForeignKey(MetricKey, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    step = models.BigIntegerField()
    timestamp_ms = models.BigIntegerField()
    value = models.FloatField()

    def __str__(self) -> str:
        return f"{self.key_id}@{self.step}={self.value}"


class MetricChunk(models.Model):
    """Many points of one run and metric, packed into arrays of equal length.

    Shapes  steps, timestamps_ms, values: (count,)
            outline: the least and the greatest of every 50 points as (step, timestamp, value), 24 bytes each,
            little-endian; written when the run is folded, absent before
    """

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="chunks", db_index=False, db_constraint=False)
    key = models.ForeignKey(MetricKey, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    count = models.IntegerField()
    first_step = models.BigIntegerField()
    last_step = models.BigIntegerField()
    first_ms = models.BigIntegerField()
    last_ms = models.BigIntegerField()
    steps = ArrayField(models.BigIntegerField())
    timestamps_ms = ArrayField(models.BigIntegerField())
    values = ArrayField(models.FloatField())
    outline = models.BinaryField(null=True, editable=False)
    is_ascending = models.BooleanField(
        db_default=False, default=False, help_text="each step is greater than the one before"
    )

    class Meta:
        indexes = [models.Index(fields=["run", "key", "first_ms"], name="tracking_chunk_series")]

    def __str__(self) -> str:
        return f"{self.key_id} {self.first_step}-{self.last_step}"


class LatestMetric(models.Model):
    """The latest value of a run's metric: the greatest (step, timestamp, value).

    It repeats the run's experiment, so that one index lists an experiment's runs by a metric.
    """

    pk = models.CompositePrimaryKey("run_id", "key_id")
    experiment = models.ForeignKey(
        "tracking.Experiment", on_delete=models.CASCADE, db_index=False, db_constraint=False, related_name="+"
    )
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="latest", db_index=False, db_constraint=False)
    key = models.ForeignKey(MetricKey, on_delete=models.PROTECT, db_index=False, db_constraint=False, related_name="+")
    step = models.BigIntegerField()
    timestamp_ms = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        indexes = [models.Index(fields=["experiment", "key", "value", "run"], name="tracking_latest_by_value")]

    def __str__(self) -> str:
        return f"{self.key_id}={self.value}"


class ModelMetric(models.Model):
    """A metric that a run measured of a logged model, on a dataset or on none; its latest value."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="model_metrics")
    model_id = models.CharField(max_length=64)
    key = models.CharField(max_length=limits.KEY_CHARS)
    dataset_name = models.CharField(max_length=500, blank=True)
    dataset_digest = models.CharField(max_length=36, blank=True)
    step = models.BigIntegerField()
    timestamp_ms = models.BigIntegerField()
    value = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["model_id", "key", "dataset_name", "dataset_digest", "run"], name="tracking_one_model_metric"
            )
        ]

    def __str__(self) -> str:
        return f"{self.model_id} {self.key}={self.value}"
