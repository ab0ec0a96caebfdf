"""The recommendations room's REST door: shapes. A refusal has the same shape as an answer, and null for each number."""

from typing import Any

from rest_framework import serializers

from apps.recommendations.models import Forecast, ImpactModel, ImpactScore, Training
from maestro.api.serializers import Flag, StrictSerializer, Whole

MOST_ARTIFACTS = 50
STANDING = "share of the catalogue it is expected to beat, 0-100; always over all problem classes together"
POOLED = "the number rests on all problem classes together, since the project's own was too small to be looked at alone"


class Need(serializers.Serializer[Any]):
    """One thing that is short: how much there is, and how much would do."""

    what = serializers.CharField()
    have = serializers.FloatField()
    at_least = serializers.FloatField()


class ArtifactNamed(serializers.Serializer[Any]):
    """An artifact, in short."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.CharField()


class CovariateShare(serializers.Serializer[Any]):
    """What predicts an artifact's use, and its share of that."""

    covariate = serializers.CharField()
    share = serializers.FloatField()


class ScoreShown(serializers.ModelSerializer[ImpactScore]):
    """What using an artifact is associated with. `effect` is adjusted and shrunk; `raw_effect` is the plain difference."""

    artifact = ArtifactNamed()
    needs = Need(many=True)
    covariates = CovariateShare(many=True)
    used_by_class = serializers.DictField(
        child=serializers.IntegerField(), allow_null=True, help_text="problem class: how many of its projects used it"
    )
    hidden_cause = serializers.CharField(help_text="what a hidden cause would change of the claim, in words")
    pooled = serializers.BooleanField(source="is_pooled", help_text="estimated over several problem classes together")
    evidence = serializers.ListField(child=serializers.UUIDField(), help_text="projects that used it, up to 50")

    class Meta:
        model = ImpactScore
        fields = (
            "artifact",
            "problem_class",
            "status",
            "code",
            "reason",
            "needs",
            "effect",
            "low",
            "high",
            "adjusted_effect",
            "raw_effect",
            "n_used",
            "n_unused",
            "n_projects",
            "used_by_class",
            "pooled",
            "overlap",
            "sensitivity",
            "sensitivity_interval",
            "hidden_cause",
            "covariates",
            "evidence",
        )


class ImpactShown(serializers.Serializer[Any]):
    """A page of scores, and the training that they come from."""

    status = serializers.CharField(help_text="ok, early or refused")
    code = serializers.CharField()
    reason = serializers.CharField()
    needs = Need(many=True)
    unit = serializers.CharField(help_text="project or run")
    unit_text = serializers.CharField(help_text="what effect, low and high are measured in")
    level = serializers.FloatField(allow_null=True, help_text="what share of truths the intervals mean to hold")
    training = serializers.UUIDField(allow_null=True)
    trained_at = serializers.DateTimeField(allow_null=True)
    method = serializers.CharField()
    rows = serializers.IntegerField()
    projects = serializers.IntegerField()
    figures = serializers.JSONField()
    wording = serializers.CharField()
    results = ScoreShown(many=True)
    next = serializers.URLField(allow_null=True)


class AdviceItem(serializers.Serializer[Any]):
    """One thing to try. Units: gain, low and high as the answer's unit_text says."""

    rank = serializers.IntegerField()
    artifact = ArtifactNamed()
    status = serializers.CharField()
    gain = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    standing = serializers.FloatField(allow_null=True, help_text=STANDING)
    n_projects = serializers.IntegerField()
    pooled = serializers.BooleanField(help_text=POOLED)
    reasons = serializers.ListField(child=serializers.CharField())
    evidence = serializers.ListField(child=serializers.UUIDField())


class TeamSize(serializers.Serializer[Any]):
    """People in similar successful projects, always as a range; or why there is none."""

    status = serializers.CharField()
    reason = serializers.CharField()
    needs = Need(many=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    pooled = serializers.BooleanField(help_text="some of the similar projects are of other problem classes")
    evidence = serializers.ListField(child=serializers.UUIDField())


class AdviceShown(serializers.Serializer[Any]):
    """What a project may try next, best first; or a refusal that names what is missing."""

    project = serializers.UUIDField()
    status = serializers.CharField(help_text="ok, early or refused")
    code = serializers.CharField()
    reason = serializers.CharField()
    needs = Need(many=True)
    basis = serializers.CharField(help_text="by impact, model, mean_rank, shared_mean or recency")
    unit = serializers.CharField()
    unit_text = serializers.CharField()
    level = serializers.FloatField(allow_null=True)
    training = serializers.UUIDField(allow_null=True)
    trained_at = serializers.DateTimeField(allow_null=True)
    wording = serializers.CharField()
    items = AdviceItem(many=True)
    team_size = TeamSize(allow_null=True)


class ContributionShown(serializers.Serializer[Any]):
    """What a fact adds to a forecast, against the average project."""

    covariate = serializers.CharField()
    amount = serializers.FloatField(help_text="points; on the log scale for time, money and effort")
    factor = serializers.FloatField(required=False, help_text="the same as a factor, for time, money and effort")


class OutsideShown(serializers.Serializer[Any]):
    """A fact of the project that past projects do not reach."""

    fact = serializers.CharField()
    value = serializers.JSONField(help_text="the project's")
    low = serializers.FloatField(allow_null=True, help_text="the least that past projects had; null where none had it")
    high = serializers.FloatField(allow_null=True)


class ForecastShown(serializers.ModelSerializer[Forecast]):
    """One expectation: the middle with its interval, or why there is none."""

    needs = Need(many=True)
    contributions = ContributionShown(many=True)
    outside = OutsideShown(many=True)
    value = serializers.FloatField(source="p50", allow_null=True)
    low = serializers.FloatField(source="p10", allow_null=True)
    high = serializers.FloatField(source="p90", allow_null=True)
    training = serializers.UUIDField(source="model.training_id")

    class Meta:
        model = Forecast
        fields = (
            "target",
            "unit",
            "status",
            "code",
            "reason",
            "needs",
            "basis",
            "value",
            "low",
            "high",
            "level",
            "planned",
            "pooled",
            "outside",
            "contributions",
            "actual",
            "training",
            "made_at",
        )


class ForecastsShown(serializers.Serializer[Any]):
    """What a project may expect."""

    project = serializers.UUIDField()
    status = serializers.CharField(help_text="ok, early or refused: that of the best of its forecasts")
    code = serializers.CharField(help_text="`pending`: a worker forecasts it now, ask again in a few seconds")
    reason = serializers.CharField()
    needs = Need(many=True)
    results = ForecastShown(many=True)


class ModelShown(serializers.ModelSerializer[ImpactModel]):
    """What a training made for one target."""

    needs = Need(many=True)

    class Meta:
        model = ImpactModel
        fields = (
            "id",
            "target",
            "unit",
            "state",
            "method",
            "level",
            "rows",
            "groups",
            "fit_ms",
            "figures",
            "code",
            "reason",
            "needs",
            "model_sha256",
            "promoted_at",
            "retired_at",
        )


class TrainingShown(serializers.ModelSerializer[Training]):
    """A training: how far it is, what it read, what came of it."""

    models = ModelShown(many=True)

    class Meta:
        model = Training
        fields = (
            "id",
            "state",
            "why",
            "asked_by",
            "force",
            "seed",
            "percent",
            "step",
            "reason",
            "tries",
            "data_digest",
            "data_at",
            "data_ms",
            "fit_ms",
            "peak_bytes",
            "counts",
            "drift",
            "created_at",
            "started_at",
            "ended_at",
            "models",
        )


class TrainingNew(StrictSerializer):
    """What may be said of a training that is asked for."""

    force = Flag(default=False, help_text="train even if the data have not changed")
    seed = Whole(default=0, min_value=0, max_value=2**31 - 1)


class OutcomeShown(serializers.Serializer[Any]):
    """A derived outcome."""

    project = serializers.UUIDField()
    success = serializers.FloatField()
    source = serializers.CharField()  # type: ignore[assignment]
    rule = serializers.CharField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()
