"""The recommendations room: what a training found for one target, and the impact scores in it."""

from datetime import datetime
from typing import Self

from django.db import models
from django.db.models import Q

from apps.recommendations.models.trainings import Training
from maestro.clock import uuid7


class ImpactModelQuerySet(models.QuerySet["ImpactModel"]):
    """Questions about models."""

    def champions(self) -> Self:
        """Keep those that serve."""
        return self.filter(state=ImpactModel.State.CHAMPION)

    def served_since(self, at: datetime, target: str, unit: str) -> "ImpactModel | None":
        """Fetch the first of those that served at some time since a moment, and can still be read; None if none did."""
        kept = self.filter(target=target, unit=unit, state__in=[ImpactModel.State.CHAMPION, ImpactModel.State.RETIRED])
        since = kept.filter(Q(retired_at=None) | Q(retired_at__gt=at)).exclude(model_text="")
        return since.order_by("promoted_at").first()

    def serving(self, target: str = "impact", unit: str = "") -> "ImpactModel | None":
        """Fetch the one that serves a target; of two units, the one that foresaw later projects better in its backtest.

        Where none serves, the latest that refused, since it knows the reason; None before any training.
        """
        wanted = self.filter(target=target) if not unit else self.filter(target=target, unit=unit)
        champions: list[ImpactModel] = list(wanted.champions().defer("model_text"))
        if champions:
            return min(champions, key=by_foresight)
        return wanted.filter(state=ImpactModel.State.REFUSED).order_by("-created_at", "unit").first()


def by_foresight(model: "ImpactModel") -> tuple[float, str]:
    """Order models by what their backtests say; by finished projects before by runs if they say the same."""
    return model.error_ratio, model.unit


class ImpactModel(models.Model):
    """What one training made for one target: its method and figures, and whether it serves."""

    class State(models.TextChoices):
        """Where the model stands."""

        CHAMPION = "champion"
        REJECTED = "rejected"
        RETIRED = "retired"
        REFUSED = "refused"

    class Target(models.TextChoices):
        """What it speaks about."""

        IMPACT = "impact"
        RANKING = "ranking"
        SUCCESS = "success"
        DURATION = "duration"
        COST = "cost"
        EFFORT = "effort"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    training = models.ForeignKey(Training, on_delete=models.CASCADE, related_name="models")
    target = models.CharField(max_length=40, choices=Target)
    unit = models.CharField(max_length=10, blank=True, help_text="project or run")
    state = models.CharField(max_length=10, choices=State)
    method = models.CharField(max_length=200, blank=True)
    level = models.FloatField(null=True, help_text="the share of truths that its intervals mean to hold")
    rows = models.IntegerField(default=0)
    groups = models.IntegerField(default=0, help_text="projects behind the rows")
    fit_ms = models.IntegerField(null=True, blank=True, help_text="milliseconds of fitting")
    figures = models.JSONField(default=dict, blank=True, help_text="backtest, overlap, choices")
    code = models.CharField(max_length=60, blank=True, help_text="stable word for the reason")
    reason = models.TextField(blank=True, help_text="why it refused or was not promoted")
    needs = models.JSONField(default=list, blank=True, help_text="what is short: how much there is, how much would do")
    model_text = models.TextField(blank=True, help_text="JSON, with trees in LightGBM's text format")
    model_sha256 = models.CharField(max_length=64, blank=True)
    promoted_at = models.DateTimeField(null=True, blank=True)
    retired_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ImpactModelQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "target", "unit")
        constraints = [
            models.UniqueConstraint(
                fields=["target", "unit"], name="recommendations_one_champion", condition=Q(state="champion")
            ),
            models.UniqueConstraint(fields=["training", "target", "unit"], name="recommendations_one_model"),
        ]

    @property
    def error_ratio(self) -> float:
        """Its error on later projects as a share of the baseline's; 1 where that could not be measured."""
        return float(self.figures.get("holdout", {}).get("error_ratio") or 1.0)

    def withdraw(self, reason: str, *, at: datetime) -> None:
        """Take it out of service for good: no rollback brings it back."""
        self.state, self.retired_at, self.reason = self.State.REJECTED, at, reason
        self.save(update_fields=["state", "retired_at", "reason"])

    def promote(self, at: datetime) -> None:
        """Let it serve, and retire the one that did."""
        others = ImpactModel.objects.champions().filter(target=self.target, unit=self.unit).exclude(pk=self.pk)
        others.update(state=self.State.RETIRED, retired_at=at)
        self.state, self.promoted_at, self.retired_at = self.State.CHAMPION, at, None
        self.save(update_fields=["state", "promoted_at", "retired_at"])

    def __str__(self) -> str:
        return f"{self.target} {self.unit} {self.state}".replace("  ", " ")


class ImpactScoreQuerySet(models.QuerySet["ImpactScore"]):
    """Questions about scores."""

    def for_page(self) -> Self:
        """Serve a page: strongest association first, refusals last."""
        return (
            self.filter(artifact__deleted_ms=None)
            .select_related("artifact", "model")
            .order_by(models.F("effect").desc(nulls_last=True), "artifact__name")
        )


class ImpactScore(models.Model):
    """What using one artifact is associated with, with its interval; or why there is no number.

    Units  points of success in the unit "project"; deviations of the project's runs in the unit "run"
    """

    class Status(models.TextChoices):
        """How far the number may be trusted."""

        OK = "ok"
        EARLY = "early"
        REFUSED = "refused"

    id = models.BigAutoField(primary_key=True)
    model = models.ForeignKey(ImpactModel, on_delete=models.CASCADE, related_name="scores")
    artifact = models.ForeignKey("registry.Artifact", on_delete=models.CASCADE, related_name="impacts")
    problem_class = models.CharField(max_length=20, blank=True, help_text="empty: all classes together")
    status = models.CharField(max_length=10, choices=Status)
    code = models.CharField(max_length=60, blank=True, help_text="stable word for the reason")
    reason = models.CharField(max_length=500, blank=True)
    needs = models.JSONField(default=list, blank=True)
    effect = models.FloatField(null=True, help_text="adjusted and shrunk: the number to show")
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    adjusted_effect = models.FloatField(null=True, help_text="adjusted, before shrinking")
    raw_effect = models.FloatField(null=True, help_text="the plain difference of means, unadjusted")
    n_used = models.IntegerField(default=0, help_text="projects or runs, as the model's unit says")
    n_unused = models.IntegerField(default=0)
    n_projects = models.IntegerField(default=0, help_text="projects that used it")
    used_by_class = models.JSONField(null=True, blank=True, help_text="problem class: how many of its projects used it")
    overlap = models.FloatField(null=True, help_text="share of its use that nothing known explains")
    sensitivity = models.FloatField(null=True, help_text="strength of a hidden cause that would explain it away")
    sensitivity_interval = models.FloatField(null=True, help_text="strength at which the interval reaches zero")
    covariates = models.JSONField(default=list, blank=True, help_text="what most predicts its use")
    evidence = models.JSONField(default=list, blank=True, help_text="ids of projects that used it")

    objects = ImpactScoreQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "artifact", "problem_class"], name="recommendations_one_score"),
            models.CheckConstraint(
                name="recommendations_refusal_has_no_number",
                condition=~Q(status="refused") | Q(effect=None, low=None, high=None, raw_effect=None),
            ),
        ]

    @property
    def is_pooled(self) -> bool:
        """Say whether it was estimated over several problem classes together."""
        return self.effect is not None and not self.problem_class and len(self.model.figures.get("classes") or ()) != 1

    @property
    def used_only_in(self) -> str:
        """The one problem class whose projects used it; nothing where several did, or where that was not kept."""
        names = [name for name, count in (self.used_by_class or {}).items() if count]
        return names[0] if len(names) == 1 else ""

    @property
    def hidden_cause(self) -> str:
        """What a hidden cause would change of the claim, in words; nothing without a number."""
        if self.effect is None or self.sensitivity is None:
            return ""
        away = f"explains {100 * self.sensitivity:.0f} % of what is left of both its use and the outcome, the effect is zero"
        if self.low is not None and self.high is not None and self.low <= 0 <= self.high:
            return f"The interval holds zero as it is. If something unrecorded {away}."
        sooner = (
            f"; from {100 * self.sensitivity_interval:.0f} % on the interval holds zero"
            if self.sensitivity_interval
            else ""
        )
        return f"If something unrecorded {away}{sooner}.{self._beside_what_is_known()}"

    def _beside_what_is_known(self) -> str:
        """The strongest recorded cause of its use, as a measure of how much that is."""
        known = [one for one in self.covariates if isinstance(one, dict) and {"covariate", "share"} <= one.keys()]
        return f" Of its use {known[0]['covariate']} explains {100 * known[0]['share']:.0f} %." if known else ""

    def __str__(self) -> str:
        return f"{self.artifact_id} {self.effect}"
