"""The tracking room: how long runs are kept, and when a silent one counts as lost."""

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from apps.tracking.models.projects import Project

MOST_DAYS, LEAST_LOST_HOURS, MOST_LOST_HOURS = 36_500, 0.05, 8_760.0


class LifeRule(models.Model):
    """What happens by itself to the runs of a project, or, without one, of every project that says nothing else.

    An empty field leaves the word to the rule of all projects, and that one to what Maestro does by itself.
    """

    project = models.OneToOneField(
        Project,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="life_rule",
        help_text="empty: every project without a rule of its own",
    )
    trash_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MaxValueValidator(MOST_DAYS)],
        help_text="days in the trash before a run goes for ever",
    )
    keep_runs_days = models.PositiveIntegerField(
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_DAYS)],
        help_text="days after its last word before an ended run goes into the trash; empty: never",
    )
    lost_after_hours = models.FloatField(
        null=True,
        blank=True,
        validators=[MinValueValidator(LEAST_LOST_HOURS), MaxValueValidator(MOST_LOST_HOURS)],
        help_text="hours of silence before a running run counts as lost",
    )
    set_by = models.CharField(max_length=250, blank=True, editable=False)
    set_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ("project__name",)
        constraints = [
            models.UniqueConstraint(fields=["project"], nulls_distinct=False, name="tracking_one_life_rule"),
            models.CheckConstraint(
                name="tracking_life_rule_in_bounds",
                condition=(models.Q(trash_days=None) | models.Q(trash_days__lte=MOST_DAYS))
                & (models.Q(keep_runs_days=None) | models.Q(keep_runs_days__range=(1, MOST_DAYS)))
                & (
                    models.Q(lost_after_hours=None)
                    | models.Q(lost_after_hours__range=(LEAST_LOST_HOURS, MOST_LOST_HOURS))
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"rule of {self.project}" if self.project_id else "rule of all projects"
