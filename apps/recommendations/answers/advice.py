"""The recommendations room: what a project may try next, from what is stored. Light: web processes call it.

A worker stores advice for open projects at each training; for a project that is younger than the training the
answer is made here from the stored impact scores. Nothing is ever made up: without a model that serves, the
answer is a refusal that names what is missing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Subquery

from apps.recommendations.answers import unscored
from apps.recommendations.answers.narrowing import Narrow, narrowest, refusal_of_class
from apps.recommendations.answers.shapes import AdviceAnswer, Item
from apps.recommendations.estimators import minimum_data
from apps.recommendations.models import Advice, Forecast, ImpactModel
from apps.registry.models import Artifact, Usage
from apps.tracking.models import DEFAULT_PROJECT_ID, Project
from maestro.principals import Reach

MOST_ITEMS = unscored.MOST_ITEMS
PENDING = "pending"
ORDER = ("ok", "early", "refused")
WORDING = "Associated with, adjusted for what was known beforehand. Not a proof of cause."
UNIT_WORDS = {"project": "points of success", "run": "standard deviations of a project's runs"}

UNIT_NAMES = {words: name for name, words in UNIT_WORDS.items()}
__all__ = ["AdviceAnswer", "Item"]


def advice_for(project: Project, *, reach: Reach, stored: Sequence[Advice] | None = None) -> AdviceAnswer:
    """Answer from what serves now: what a worker stored for this project, else what is stored of its artifacts.

    Nothing is named that whoever reaches these projects may not see. `stored` is stored_for's, where it is known already.
    """
    known = stored_for(project) if stored is None else stored
    of_artifacts = [row for row in known if row.kind == Advice.Kind.ARTIFACT]
    if not of_artifacts:
        return replace(fresh_advice(project, used_by(project), reach=reach), team=team_size_in(known))
    used = set(used_by(project))
    lacking = [row for row in of_artifacts if row.artifact_id not in used and is_seen(row.artifact, reach)]
    return replace(from_stored(lacking, of_artifacts[0].model), team=team_size_in(known))


def is_seen(artifact: Artifact | None, reach: Reach) -> bool:
    """Say whether a piece of advice may be shown to who reaches some projects."""
    return artifact is not None and artifact.is_visible_to(reach)


def used_by(project: Project) -> "QuerySet[Usage, UUID]":
    """The artifacts that a project uses already, by their ids."""
    return Usage.objects.filter(project=project).values_list("version__artifact_id", flat=True)


def fresh_advice(project: Project, used: "QuerySet[Usage, UUID]", *, reach: Reach) -> AdviceAnswer:
    """By impact scores; where impact refuses, by mean ranks; where those refuse too, by recency, without a number."""
    model = ImpactModel.objects.serving()
    speaks = model is not None and model.state != ImpactModel.State.REFUSED
    if model is not None and speaks:
        scores = narrowest(model, project.problem_class, without=used)
        lacking = [one for one in scores if is_seen(one.score.artifact, reach)]
        if not lacking or any(one.effect is not None for one in lacking):
            return answer_of(items_of(lacking, model), "impact", model)
    ranking = ImpactModel.objects.champions().filter(target=ImpactModel.Target.RANKING).first()
    ranked = unscored.by_rank(ranking, project, used) if ranking else ()
    if ranking is not None and ranked:
        return answer_of(ranked, str(ranking.figures.get("cold", "mean_rank")), ranking)
    said = untrained() if model is None else refusal_to(project, model)
    recent = () if speaks else unscored.by_recency(project, used)
    return replace(said, items=recent, basis=unscored.RECENCY) if recent else said


def refusal_to(project: Project, model: ImpactModel) -> AdviceAnswer:
    """Why no effect is told to a project: the model refuses, or refuses for the project's class."""
    of_class = refusal_of_class(model, project.problem_class)
    own = (model.code, model.reason, model.needs)
    if model.state != ImpactModel.State.REFUSED:
        said = f"Of no artifact that this project lacks can an effect be told for {project.problem_class} projects."
        own = ("class_refused", said, [])
    code, reason, needs = of_class or own
    return AdviceAnswer("refused", code, reason, needs, model=model)


def answer_of(items: Sequence[Item], basis: str, model: ImpactModel, *, unit: str = "") -> AdviceAnswer:
    """Items under the most cautious of their verdicts."""
    reason = "" if items else "No artifact that this project lacks is associated with better results."
    status = "early" if any(item.status == "early" for item in items) else "ok"
    return AdviceAnswer(
        status, "" if items else "nothing_better", reason, (), basis, unit or unit_of(model), model, items
    )


def unit_of(model: ImpactModel) -> str:
    """What a model's gains are measured in."""
    return UNIT_WORDS.get(model.unit, "")


def from_stored(rows: Sequence[Advice], model: ImpactModel) -> AdviceAnswer:
    """Advice as a worker stored it."""
    items = [item_from(rank, row) for rank, row in enumerate(rows[:MOST_ITEMS], 1)]
    unit = next((row.unit for row in rows if row.unit), "")
    return answer_of(items, rows[0].basis if rows else "", model, unit=unit)


def item_from(rank: int, row: Advice) -> Item:
    """One stored row."""
    artifact = row.artifact
    return Item(
        rank=rank,
        artifact_id=artifact.pk if artifact else UUID(int=0),
        artifact_name=artifact.name if artifact else "",
        artifact_kind=artifact.kind if artifact else "",
        status=row.status,
        gain=row.gain,
        low=row.low,
        high=row.high,
        standing=row.standing,
        n_used=None,
        n_unused=None,
        n_projects=row.n_projects,
        pooled=row.pooled,
        reasons=tuple(row.reasons),
        evidence=tuple(row.evidence),
    )


def untrained() -> AdviceAnswer:
    """Nothing was ever learnt: say what learning would need."""
    finished = Project.objects.exclude(pk=DEFAULT_PROJECT_ID).finished().count()
    needs = [
        {"what": "finished trainings", "have": 0, "at_least": 1},
        {"what": "finished projects with an outcome", "have": finished, "at_least": minimum_data.IMPACT_PROJECTS},
    ]
    return AdviceAnswer("refused", "not_trained", "Nothing has been learnt yet: no training has ended.", needs)


def items_of(scores: Iterable[Narrow], model: ImpactModel) -> tuple[Item, ...]:
    """The best first; only what is associated with a gain."""
    gains = [one for one in scores if one.effect is not None and one.effect > 0]
    return tuple(item_of(rank, one, model) for rank, one in enumerate(gains[:MOST_ITEMS], 1))


def item_of(rank: int, narrow: Narrow, model: ImpactModel) -> Item:
    """One item and its reasons in words."""
    score = narrow.score
    return Item(
        rank=rank,
        artifact_id=score.artifact_id,
        artifact_name=score.artifact.name,
        artifact_kind=score.artifact.kind,
        status=narrow.status,
        gain=score.effect,
        low=score.low,
        high=score.high,
        standing=None,
        n_used=score.n_used,
        n_unused=score.n_unused,
        n_projects=score.n_projects,
        pooled=narrow.is_pooled,
        reasons=reasons_of(narrow, model),
        evidence=tuple(score.evidence),
    )


def reasons_of(narrow: Narrow, model: ImpactModel) -> tuple[str, ...]:
    """Say what the number rests on, and what weakens it; of a refusal, why there is none."""
    score = narrow.score
    if score.effect is None:
        return (f"No gain is shown: {score.reason}",)
    effect, low, high = score.effect or 0.0, score.low or 0.0, score.high or 0.0
    things = "projects" if model.unit == "project" else "runs"
    said = [
        f"Its use is associated with {effect:+.2f} {UNIT_WORDS[model.unit]} "
        f"({model.level or 0.9:.0%} interval {low:+.2f} to {high:+.2f}).",
        f"{score.n_used} {things} used it, {score.n_unused} did not.",
    ]
    if score.raw_effect is not None:
        said.append(
            f"The plain difference is {score.raw_effect:+.2f}, before what was known and used with it is allowed for."
        )
    if low <= 0 <= high:
        said.append("The interval holds zero: the data do not exclude that it makes no difference.")
    return (*said, *filter(None, (narrow.said, score.reason)))


def stored_for(project: Project) -> Sequence[Advice]:
    """Advice that a worker stored for a project at the latest training that was not taken out of service.

    What was advised to it as a project of another class does not hold any more.
    """
    state = ImpactModel.State
    rows = Advice.objects.filter(project=project, model__state__in=[state.CHAMPION, state.REFUSED])
    latest = rows.order_by("-made_at").values("model")[:1]
    found = Advice.objects.for_page().filter(project=project, problem_class=project.problem_class)
    return list(found.filter(model__in=Subquery(latest)))


def team_size_in(stored: Sequence[Advice]) -> Advice | None:
    """The range of team sizes that a worker stored, or its refusal; None before any."""
    return next((row for row in stored if row.kind == Advice.Kind.TEAM_SIZE), None)


def forecasts_for(project: Project) -> dict[str, Any]:
    """A project's stored forecasts under one verdict; before any, a refusal that names what is missing.

    The code PENDING means that models serve and a worker can forecast this project: ask for it (tasks.send_foresee).
    """
    rows = list(Forecast.objects.filter(project=project).serving().select_related("model"))
    if rows:
        best = min(rows, key=lambda row: ORDER.index(row.status))
        return {"status": best.status, "code": best.code, "reason": best.reason, "needs": best.needs, "results": rows}
    if project.success is not None:
        return refused("ended", "This project has ended; there is nothing left to forecast.")
    targets = [
        ImpactModel.Target.SUCCESS,
        ImpactModel.Target.DURATION,
        ImpactModel.Target.COST,
        ImpactModel.Target.EFFORT,
    ]
    trained = ImpactModel.objects.filter(target__in=targets).defer("model_text").order_by("-created_at", "target")
    if trained.champions().exists():
        return refused(PENDING, "A worker is forecasting this project; ask again in a few seconds.")
    last = trained.filter(state=ImpactModel.State.REFUSED).first()
    if last is not None:
        return refused(last.code, last.reason, last.needs)
    needs = [{"what": "projects with this outcome", "have": 0, "at_least": minimum_data.FORECAST_OUTCOMES}]
    return refused("not_trained", untrained().reason, needs)


def refused(code: str, reason: str, needs: Sequence[dict[str, Any]] = ()) -> dict[str, Any]:
    """No forecast, and why."""
    return {"status": "refused", "code": code, "reason": reason, "needs": list(needs), "results": []}
