"""The tracking room's REST door: shapes of projects and members."""

from typing import Any

from django.core.validators import RegexValidator
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.tracking.models import Member, Project
from apps.tracking.models.projects import SLUG
from maestro import limits
from maestro.api.serializers import Flag, Mapped, Real, Scalar, StrictSerializer, Text, Whole

SLUG_TEXT = rf"^{SLUG.pattern}$"
DAYS_MAX, COST_MAX = 100_000, 1e15


def days() -> Real:
    """A duration in days."""
    return Real(required=False, allow_null=True, min_value=0, max_value=DAYS_MAX)


def amount(least: float = 0) -> Real:
    """Money or hours, in whatever unit the tenant uses throughout."""
    return Real(required=False, allow_null=True, min_value=least, max_value=COST_MAX)


class ProjectFacts(StrictSerializer):
    """What can be said of a project apart from its slug and its outcome."""

    name = Text(required=False, max_length=limits.NAME_CHARS)
    description = Text(required=False, allow_blank=True)
    problem_class = serializers.ChoiceField(choices=Project.ProblemClass.choices, required=False)
    complexity = Whole(required=False, allow_null=True, min_value=1, max_value=100)
    dataset_facts = Mapped(
        child=Scalar(allow_null=True), required=False, help_text="facts known before work began, by name"
    )
    team = Text(required=False, allow_blank=True, max_length=100)
    team_size = Whole(required=False, allow_null=True, min_value=1, max_value=10_000, help_text="people")
    starts_at = serializers.DateTimeField(required=False, allow_null=True)
    ends_at = serializers.DateTimeField(required=False, allow_null=True)
    planned_duration_days = days()
    planned_cost = amount()
    planned_effort_hours = amount()
    actual_duration_days = days()
    actual_cost = amount()
    actual_effort_hours = amount()
    goal_metric = Text(required=False, allow_blank=True, max_length=limits.KEY_CHARS)
    goal_maximize = Flag(required=False)
    goal_worst = Real(required=False, allow_null=True, help_text="the goal metric that counts as success 0")
    goal_best = Real(required=False, allow_null=True, help_text="the goal metric that counts as success 100")
    labels = Mapped(child=Text(max_length=1_000, allow_blank=True), required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a project that ends before it starts, and a goal without two ends."""
        before = self.instance
        starts, ends = (attrs.get(name, getattr(before, name, None)) for name in ("starts_at", "ends_at"))
        if starts and ends and ends < starts:
            raise serializers.ValidationError({"ends_at": ["it ends before it starts"]}, code="bad_period")
        worst, best = (attrs.get(name, getattr(before, name, None)) for name in ("goal_worst", "goal_best"))
        if worst is not None and worst == best:
            raise serializers.ValidationError({"goal_best": ["it must differ from goal_worst"]}, code="bad_goal")
        return attrs


class ProjectNew(ProjectFacts):
    """A project to be made."""

    slug = Text(max_length=100, validators=[RegexValidator(SLUG_TEXT, "use lower-case letters, digits, . _ and -")])


class OutcomeNew(StrictSerializer):
    """How a project went."""

    success = Real(min_value=0, max_value=100, help_text="0 to 100")
    model_performance = Real(required=False, allow_null=True)
    business_value = amount(-COST_MAX)
    actual_duration_days = days()
    actual_cost = amount()
    actual_effort_hours = amount()
    rule = Text(required=False, allow_blank=True, max_length=500, help_text="how the figure came about")
    source = serializers.ChoiceField(choices=Project.OutcomeSource.choices, required=False)  # type: ignore[assignment]


class OutcomeRecorded(serializers.Serializer[Project]):
    """A recorded outcome, with who said so and when."""

    success = serializers.FloatField()
    model_performance = serializers.FloatField(allow_null=True)
    business_value = serializers.FloatField(allow_null=True)
    source = serializers.CharField(source="outcome_source")  # type: ignore[assignment]
    set_by = serializers.CharField(source="outcome_set_by")
    set_at = serializers.DateTimeField(source="outcome_set_at")
    rule = serializers.CharField(source="outcome_rule")


class ProjectShown(serializers.ModelSerializer[Project]):
    """A project."""

    outcome = serializers.SerializerMethodField()

    class Meta:
        model = Project
        fields = ("id", "slug", *ProjectFacts._declared_fields, "outcome", "created_at")
        read_only_fields = fields

    @extend_schema_field(OutcomeRecorded(allow_null=True))
    def get_outcome(self, project: Project) -> OutcomeRecorded | None:
        """Show the outcome as one object, or null while it is open."""
        return None if project.success is None else OutcomeRecorded(project).data  # type: ignore[return-value]


class MemberNew(StrictSerializer):
    """A person's part in a project."""

    title = Text(required=False, allow_blank=True, max_length=100)


class MemberShown(serializers.ModelSerializer[Member]):
    """A member of a project."""

    username = serializers.CharField(source="user.username")

    class Meta:
        model = Member
        fields = ("username", "title", "joined_at")
        read_only_fields = fields
