"""Recommendations room: the REST shapes of questions that a forecast answers, and of how well past forecasts held."""

from typing import Any

from rest_framework import serializers

from apps.recommendations.api.serializers import MOST_ARTIFACTS, Need
from apps.recommendations.models import WhatIf
from apps.recommendations.past.history import MOST_FACTS
from apps.tracking.models import Project
from maestro import limits
from maestro.api.serializers import Listed, Mapped, Real, Scalar, StrictSerializer, Text, Whole


class WhatIfFacts(Mapped):
    """Dataset facts of a project that does not exist yet."""

    child = Scalar()
    most = MOST_FACTS


class WhatIfNew(StrictSerializer):
    """What is known of a project before work begins. All of it is optional; what is not said is unknown."""

    problem_class = serializers.ChoiceField(choices=Project.ProblemClass.choices, required=False)
    complexity = Whole(required=False, min_value=1, max_value=100)
    team = Text(required=False, max_length=100)
    team_size = Whole(required=False, min_value=1, max_value=32_767)
    starts_at = serializers.DateTimeField(required=False)
    dataset_facts = WhatIfFacts(required=False)
    planned_duration_days = Real(required=False, min_value=0, max_value=1e6)
    planned_cost = Real(required=False, min_value=0, max_value=1e15)
    planned_effort_hours = Real(required=False, min_value=0, max_value=1e9)
    artifacts = Listed(
        child=Text(max_length=limits.NAME_CHARS),
        required=False,
        max_length=MOST_ARTIFACTS,
        help_text="names; what the use of each is associated with is said beside the forecast, not added to it",
    )


class WhatIfShown(serializers.ModelSerializer[WhatIf]):
    """A question, and its answer once a worker has given it."""

    class Meta:
        model = WhatIf
        fields = ("id", "state", "facts", "answer", "reason", "created_at", "started_at", "ended_at")


class TargetCalibration(serializers.Serializer[Any]):
    """How one target's forecasts did; null where too few have met their outcome."""

    target = serializers.CharField()
    unit = serializers.CharField()
    status = serializers.CharField()
    reason = serializers.CharField()
    needs = Need(many=True)
    n = serializers.IntegerField()
    claimed = serializers.FloatField(allow_null=True, help_text="share of truths that the intervals mean to hold")
    coverage = serializers.FloatField(allow_null=True, help_text="share that they held")
    recent = serializers.FloatField(allow_null=True, help_text="the same over the latest 50")
    drifted = serializers.BooleanField(allow_null=True, help_text="recent coverage is not what chance explains")
    error = serializers.FloatField(allow_null=True, help_text="mean absolute error, in the unit")
    bias = serializers.FloatField(allow_null=True, help_text="how far forecasts lie above the actual, in the unit")


class FollowedShown(serializers.Serializer[Any]):
    """How often advice was followed, and how projects ended that did and did not; an association."""

    advised = serializers.IntegerField(help_text="pieces of advice whose project has ended")
    followed = serializers.IntegerField()
    projects_that_followed = serializers.IntegerField(help_text="that used at least one thing advised")
    projects_that_did_not = serializers.IntegerField()
    status = serializers.CharField(help_text="ok, early or refused")
    reason = serializers.CharField()
    needs = Need(many=True)
    difference = serializers.FloatField(allow_null=True, help_text="points of success, followers less others")
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    level = serializers.FloatField(allow_null=True)


class CalibrationShown(serializers.Serializer[Any]):
    """How well past claims held."""

    forecasts = TargetCalibration(many=True)
    advice = FollowedShown()
    claims = Listed(child=serializers.DictField(), help_text="champion's intervals that held new estimates")
