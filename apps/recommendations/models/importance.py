"""The recommendations room: which params of an experiment's runs go with a metric."""

from django.db import models

from apps.recommendations.models.asked import Asked, AskedQuerySet
from maestro import limits
from maestro.principals import Reach


class ImportanceQuerySet(AskedQuerySet["Importance"]):
    """Questions about params' weights."""

    def within(self, reach: Reach) -> "ImportanceQuerySet":
        """Keep those of experiments within reach."""
        return self if reach is None else self.filter(experiment__project_id__in=reach)


class Importance(Asked):
    """A question which params of an experiment's runs go with a metric; answered by a worker, kept for a week."""

    experiment = models.ForeignKey("tracking.Experiment", on_delete=models.CASCADE, related_name="importances")
    metric = models.CharField(max_length=limits.KEY_CHARS)

    objects = ImportanceQuerySet.as_manager()

    def __str__(self) -> str:
        return f"params for {self.metric}, {self.state}"
