"""The recommendations room: what may a project expect that does not exist yet. Loads LightGBM: never in a web process."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from apps.recommendations.answers.narrowing import Narrow, narrowest
from apps.recommendations.estimators.forecasting import Forecast, Prediction, contributions, forecast_from_json, predict
from apps.recommendations.estimators.minimum_data import FORECAST_OUTCOMES
from apps.recommendations.estimators.scope import hedged
from apps.recommendations.estimators.tables import table_from_rows
from apps.recommendations.estimators.verdicts import Need, refused
from apps.recommendations.models import ImpactModel, WhatIf
from apps.recommendations.past import dataset, history
from apps.recommendations.past.arrays import PLAN_COLUMNS, SCALES, UNITS, in_unit, numbers
from apps.recommendations.training.forecasts import TOP_REASONS, told
from apps.recommendations.training.publishing import needs_of
from apps.recommendations.work.promotion import unseal
from apps.tracking.models import Project
from maestro.errors import Conflict


def answer(question: WhatIf, *, at: datetime) -> None:
    """Answer from the models that serve, and keep the answer."""
    known = known_of(question.facts, at=at)
    serving = {model.target: model for model in ImpactModel.objects.champions().filter(target__in=UNITS)}
    results = [
        expected(target, serving.get(target), known, question.facts.get(PLAN_COLUMNS.get(target, "")))
        for target in UNITS
    ]
    found = {"results": results, "artifacts": chosen(question.facts.get("artifacts") or [], known["problem_class"])}
    question.answer, question.state, question.ended_at = found, WhatIf.State.DONE, at
    question.save(update_fields=["answer", "state", "ended_at"])


def known_of(facts: dict[str, Any], *, at: datetime) -> dict[str, Any]:
    """What is said of the project, in the words that the models were trained in."""
    began = datetime.fromisoformat(facts["starts_at"]) if facts.get("starts_at") else at
    row = {name: facts.get(name) for name in ("problem_class", "complexity", "team_size", *dataset.PLANS)}
    kept = frozenset(facts.get("dataset_facts") or {})
    past, number = past_of_team(facts.get("team") or "", began)
    known = dataset.known_before(row, began) | history.plain_facts(facts.get("dataset_facts") or {}, kept)
    return known | {"past_success": past, "past_projects": number}


def past_of_team(team: str, began: datetime) -> tuple[float | None, int]:
    """A team's record before the project would begin."""
    if not team:
        return None, 0
    fields = ("id", "team", "success", "ends_at", "outcome_set_at", "created_at")
    rows = list(Project.objects.finished().filter(team=team).values(*fields))
    records = dataset.records_of(rows, {row["id"]: frozenset({team}) for row in rows})
    return history.past_of(records.values(), dataset.DEFAULT_PROJECT_ID, began)


def expected(target: str, model: ImpactModel | None, known: dict[str, Any], plan: float | None) -> dict[str, Any]:
    """One target."""
    shell = {"target": target, "unit": UNITS[target], "training": str(model.training_id) if model else None}
    if model is None:
        return shell | refusal(target)
    try:
        document = unseal(model)
        forecast = forecast_from_json(document)
    except (Conflict, ValueError) as error:
        return shell | withheld("model_changed", str(error), [])
    table = table_from_rows([known]).without([PLAN_COLUMNS.get(target, "")])
    planned = None if plan is None else numbers([plan]) * SCALES.get(target, 1.0)
    (found,) = predict(forecast, table, planned=planned)
    hedge = hedged(found.verdict, document.get("scope", {}), known, known["problem_class"] or "")
    said = replace(in_unit(found, target), verdict=hedge.verdict)
    (why,) = contributions(forecast, table, planned=planned)
    reasons = [told(forecast, one) for one in why[:TOP_REASONS]]
    beyond = {"planned": plan, "pooled": hedge.pooled, "outside": list(hedge.outside)}
    return shell | shown(forecast, said, reasons) | beyond


def shown(forecast: Forecast, said: Prediction, reasons: list[dict[str, Any]]) -> dict[str, Any]:
    """A prediction as the API shows it."""
    verdict = said.verdict
    if verdict.is_refused:
        return withheld(verdict.code, verdict.reason, needs_of(verdict))
    return {
        "status": verdict.status,
        "code": verdict.code,
        "reason": verdict.reason,
        "needs": needs_of(verdict),
        "basis": said.basis,
        "value": said.value,
        "low": said.lo,
        "high": said.hi,
        "level": forecast.level,
        "contributions": reasons,
    }


def chosen(names: list[str], problem_class: str | None) -> list[dict[str, Any]]:
    """What the use of each artifact is associated with. Said beside the forecast, never added to it.

    A forecast rests on what is known before anything is chosen, so it holds for what such projects use on average.
    """
    model = ImpactModel.objects.serving()
    if not names:
        return []
    if model is None or model.state != ImpactModel.State.CHAMPION:
        why = (
            ("not_trained", "Nothing has been learnt yet.", [])
            if model is None
            else (model.code, model.reason, model.needs)
        )
        return [unknown_effect(name, *why) for name in names]
    best = {one.score.artifact.name: one for one in narrowest(model, problem_class or "")}
    never: tuple[str, str, list[Any]] = ("never_used", "No project with an outcome used it.", [])
    return [effect_of(best[name], model) if name in best else unknown_effect(name, *never) for name in names]


def effect_of(narrow: Narrow, model: ImpactModel) -> dict[str, Any]:
    """What is known of one artifact for a project of the class that was named."""
    score, level = narrow.score, model.level if narrow.effect is not None else None
    reason = " ".join(filter(None, (narrow.said if level else "", score.reason)))
    return {
        **{"artifact": score.artifact.name, "status": narrow.status, "code": score.code, "reason": reason},
        **{"needs": score.needs, "effect": score.effect, "low": score.low, "high": score.high, "level": level},
        **{"unit": model.unit, "n_projects": score.n_projects, "pooled": narrow.is_pooled},
    }


def unknown_effect(name: str, code: str, reason: str, needs: list[dict[str, Any]]) -> dict[str, Any]:
    """An artifact of which nothing can be said."""
    nothing = dict.fromkeys(("effect", "low", "high", "level"))
    return {
        "artifact": name,
        "status": "refused",
        "code": code,
        "reason": reason,
        "needs": needs,
        **nothing,
        "unit": "",
        "n_projects": 0,
        "pooled": False,
    }


def refusal(target: str) -> dict[str, Any]:
    """No model of this target serves: say why, as the last training said it."""
    last = ImpactModel.objects.filter(target=target).order_by("-created_at").first()
    if last is not None and last.reason:
        return withheld(last.code or "not_serving", last.reason, last.needs)
    need = Need("projects with this outcome", 0, FORECAST_OUTCOMES)
    return withheld("not_trained", "Nothing has been learnt yet.", needs_of(refused("not_trained", "", need)))


def withheld(code: str, reason: str, needs: list[dict[str, Any]]) -> dict[str, Any]:
    """A refusal: no number."""
    nothing = dict.fromkeys(("value", "low", "high", "level"))
    return {
        "status": "refused",
        "code": code,
        "reason": reason,
        "needs": needs,
        "basis": "",
        "contributions": [],
        "pooled": False,
        "outside": [],
    } | nothing
