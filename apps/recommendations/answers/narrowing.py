"""The recommendations room: which estimate of an artifact holds for a project of one class. Light: web processes use it.

The estimate of the class alone comes first, and so does its refusal: a refusal is an answer. Where a class was too small
to be looked at alone, the estimate over all classes stands in for it and is called pooled, but only if projects of the
class used the artifact. Otherwise it tells of other people's work, and nothing is said.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from apps.recommendations.estimators.minimum_data import IMPACT_PROJECTS, RUN_PROJECTS
from apps.recommendations.models import ImpactModel, ImpactScore
from apps.recommendations.models.impact import ImpactScoreQuerySet

NEVER_USED, NOT_KNOWN = "never_used_in_class", "use_by_class_not_known"


@dataclass(frozen=True, slots=True)
class Narrow:
    """What may be said of one artifact to a project of `problem_class`; a refused score has no number.

    of_class   how many of the projects that used it are of that class, where the estimate is pooled
    """

    score: ImpactScore
    problem_class: str
    is_pooled: bool = False
    of_class: int = 0

    @property
    def status(self) -> str:
        """A pooled number is never more than an early one: nobody estimated it for this class."""
        return ImpactScore.Status.EARLY if self.is_pooled and self.effect is not None else self.score.status

    @property
    def effect(self) -> float | None:
        """The number to show, if there is one."""
        return self.score.effect

    @property
    def said(self) -> str:
        """Whose estimate it is, in words; nothing where it is simply all that there is."""
        if self.is_pooled and not self.problem_class:
            return "Pooled: estimated over all problem classes together, as the class is not known."
        if self.is_pooled:
            return (
                f"Pooled: estimated over all problem classes together; {self.of_class} of the {self.score.n_projects} "
                f"projects that used it are {self.problem_class} projects, too few to be looked at alone."
            )
        return f"Estimated among {self.score.problem_class} projects alone." if self.score.problem_class else ""


def narrowest(
    model: ImpactModel,
    problem_class: str,
    *,
    without: "Collection[UUID] | QuerySet[Any, UUID]" = (),
    among: Collection[UUID] | None = None,
) -> list[Narrow]:
    """Each artifact's narrowest estimate or refusal, apart from some, or of some: the strongest first, refusals last."""
    here = model.scores.filter(problem_class__in={"", problem_class}, artifact__deleted_ms=None)
    scores = here.exclude(artifact__in=without)
    scores = scores if among is None else scores.filter(artifact__in=among)
    rows = list(scores.select_related("artifact"))
    own = {row.artifact_id: row for row in rows if row.problem_class == problem_class}
    classes = classes_of(model)
    found = [
        Narrow(own[row.artifact_id], problem_class)
        if problem_class and row.artifact_id in own
        else narrow_of(row, problem_class, classes)
        for row in rows
        if not row.problem_class
    ]
    return sorted(found, key=lambda one: (one.effect is None, -(one.effect or 0.0), one.score.artifact.name))


def narrow_of(row: ImpactScore, problem_class: str, classes: Mapping[str, int]) -> Narrow:
    """What the estimate over all classes says to a class that was not looked at alone."""
    if row.status == ImpactScore.Status.REFUSED or set(classes) == {problem_class}:
        return Narrow(row, problem_class)
    if not problem_class:
        return Narrow(row, "", is_pooled=len(classes) != 1)
    if row.used_by_class is None:
        return Narrow(withheld(row, problem_class, NOT_KNOWN), problem_class)
    of_class = int(row.used_by_class.get(problem_class, 0))
    if not of_class:
        return Narrow(withheld(row, problem_class, NEVER_USED), problem_class)
    return Narrow(row, problem_class, is_pooled=True, of_class=of_class)


def withheld(row: ImpactScore, problem_class: str, code: str) -> ImpactScore:
    """A refusal for one class; it is not stored."""
    reasons = {
        NEVER_USED: f"No {problem_class} project behind this training used it: what it did elsewhere says nothing here.",
        NOT_KNOWN: "This training did not keep in which problem classes it was used; the next one will.",
    }
    needs = [{"what": f"{problem_class} projects that used it", "have": 0, "at_least": 1}]
    return ImpactScore(
        model=row.model,
        artifact=row.artifact,
        problem_class=problem_class,
        status=ImpactScore.Status.REFUSED,
        code=code,
        reason=reasons[code],
        needs=needs if code == NEVER_USED else [],
    )


def classes_of(model: ImpactModel) -> dict[str, int]:
    """Problem class -> how many projects of it a model rests on; nothing for a model that did not keep it."""
    kept = model.figures.get("classes")
    return dict(kept) if isinstance(kept, dict) else {}


def scores_of_class(model: ImpactModel, problem_class: str) -> ImpactScoreQuerySet:
    """The stored scores of one class alone. Where there is but one class, that is all of them."""
    here = model.scores.filter(artifact__deleted_ms=None)
    return here.filter(problem_class="" if set(classes_of(model)) == {problem_class} else problem_class)


def refusal_of_class(model: ImpactModel, problem_class: str) -> tuple[str, str, list[dict[str, object]]] | None:
    """Why nothing is said of one class alone: code, reason and what is missing; None where something is, or may be."""
    classes, looked_at = classes_of(model), model.figures.get("problem_classes") or {}
    if not problem_class or set(classes) == {problem_class} or model.state == ImpactModel.State.REFUSED:
        return None
    if looked_at.get(problem_class) == "refused":
        return "class_refused", f"No effect can be told among {problem_class} projects alone; each row says why.", []
    if problem_class in looked_at:
        return None
    least, have = (RUN_PROJECTS if model.unit == "run" else IMPACT_PROJECTS), classes.get(problem_class, 0)
    reason = f"{have} {problem_class} projects are behind this training: too few to be looked at alone."
    return "class_too_small", reason, [{"what": f"{problem_class} projects", "have": have, "at_least": least}]
