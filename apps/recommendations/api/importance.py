"""The recommendations room's REST door: which params of an experiment's runs go with a metric."""

import uuid
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.recommendations import tasks
from apps.recommendations.api.serializers import Need
from apps.recommendations.models import Importance
from apps.recommendations.work import questions
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from apps.tracking.scoping import experiments_for
from maestro import limits
from maestro.api.permissions import asking
from maestro.api.serializers import Listed, StrictSerializer, Text
from maestro.errors import NotFound

EXAMPLE = OpenApiExample("by the goal", value={"metric": "auc"}, request_only=True)


class ImportanceNew(StrictSerializer):
    """The metric that params are weighed for."""

    metric = Text(max_length=limits.KEY_CHARS)


class EstimateShown(serializers.Serializer[Any]):
    """A share of the variance of the metric's ranks, with its interval."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class WeightShown(serializers.Serializer[Any]):
    """What is foreseen less of runs held out once a param is shuffled."""

    params = Listed(child=serializers.CharField(), help_text="several where they split the runs in the same way")
    share = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()
    is_clear = serializers.BooleanField(help_text="the interval leaves out zero")
    runs = serializers.IntegerField(help_text="runs that have it")
    trend = serializers.FloatField(allow_null=True, help_text="rank correlation with the metric, for numbers")


class WeighedShown(serializers.Serializer[Any]):
    """The answer. A refusal says why, and has no weights."""

    status = serializers.CharField(help_text="ok, early or refused")
    code = serializers.CharField()
    reason = serializers.CharField()
    needs = Need(many=True)
    runs = serializers.IntegerField(help_text="finished runs with the metric and a param that varies")
    finished = serializers.IntegerField()
    without_number = serializers.IntegerField(help_text="runs whose metric is no finite number")
    is_newest_only = serializers.BooleanField(help_text="only the newest 2,000 runs were read")
    level = serializers.FloatField(help_text="what the intervals mean to hold")
    skill = EstimateShown(allow_null=True, help_text="what all params together foresee of runs held out")
    weights = WeightShown(many=True)
    weighed = serializers.IntegerField(help_text="how many params were weighed; the strongest 30 are shown")
    unused = Listed(child=serializers.CharField(), help_text="params that differ but can't be used")


class ImportanceShown(serializers.ModelSerializer[Importance]):
    """A question, and its answer once a worker has given it."""

    answer = serializers.SerializerMethodField()

    class Meta:
        model = Importance
        fields = ("id", "experiment", "metric", "state", "answer", "reason", "created_at", "started_at", "ended_at")

    @extend_schema_field(WeighedShown(allow_null=True))
    def get_answer(self, question: Importance) -> dict[str, Any] | None:
        """Nothing before there is an answer."""
        return question.answer or None


class ExperimentImportance(IdempotentPosts, GenericAPIView[Importance]):
    """Questions about one experiment."""

    required_role = {"POST": "viewer", "OPTIONS": "viewer"}
    serializer_class = ImportanceShown
    queryset = Importance.objects.none()

    @extend_schema(
        operation_id="importance_ask", request=ImportanceNew, responses={202: ImportanceShown}, examples=[EXAMPLE]
    )
    def post(self, request: Request, experiment: str) -> Response:
        """Ask which params go with a metric. A worker answers within a minute; `Location` shows it once it is there."""
        home = experiments_for(asking(request)).fetch(number(experiment))
        asked = ImportanceNew(data=request.data)
        asked.is_valid(raise_exception=True)
        question = questions.weigh(home, asked.validated_data["metric"], by=acting(request))
        tasks.WEIGHINGS.send()
        where = request.build_absolute_uri(f"/api/v1/importances/{question.pk}/")
        return Response(ImportanceShown(question).data, status=202, headers={"Location": where})


class ImportanceDetail(GenericAPIView[Importance]):
    """One question."""

    required_role = {"GET": "viewer", "HEAD": "viewer", "OPTIONS": "viewer"}
    serializer_class = ImportanceShown
    queryset = Importance.objects.none()

    @extend_schema(operation_id="importance_get", responses=ImportanceShown)
    def get(self, request: Request, importance: uuid.UUID) -> Response:
        """Show a question, and its answer once there is one. Questions are kept for a week."""
        found = Importance.objects.within(asking(request).projects).fetch(str(importance))
        return Response(ImportanceShown(found).data)


def number(text: str) -> int:
    """Read an experiment's number. Raises NotFound for what can't be one."""
    if not (text.isascii() and text.isdecimal() and len(text) <= 18):
        raise NotFound("there is no such experiment")
    return int(text)
