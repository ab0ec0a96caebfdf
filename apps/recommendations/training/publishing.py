"""The recommendations room: findings -> rows, and the choice of what serves. Loads LightGBM: never in a web process."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

import numpy as np

from apps.recommendations.answers import notices
from apps.recommendations.estimators.impact import Effect
from apps.recommendations.estimators.ranking import Advice as Ranked
from apps.recommendations.estimators.ranking import Ranker, rank
from apps.recommendations.estimators.scope import hedged
from apps.recommendations.estimators.verdicts import Verdict, refused
from apps.recommendations.models import Forecast, ImpactModel, ImpactScore, Training
from apps.recommendations.past.arrays import UNITS
from apps.recommendations.training.contests import NO_CLAIM, rounded, settle
from apps.recommendations.training.forecasts import BASELINE, ForecastFinding, RankingFinding
from apps.recommendations.training.holdout import is_worse
from apps.recommendations.training.impact import LEVEL, METHODS, MOST_EVIDENCE, ImpactFinding, Judged, effects_of
from apps.recommendations.work.promotion import seal, unseal
from maestro.errors import Conflict

State = ImpactModel.State
RANKED_LEVEL = 0.8


def publish_impact(training: Training, finding: ImpactFinding, *, at: datetime) -> ImpactModel:
    """Write one unit's model and scores, and let it serve unless it is worse. Inside the caller's transaction."""
    verdict = finding.verdict
    model = ImpactModel(
        training=training,
        target=ImpactModel.Target.IMPACT,
        unit=finding.unit,
        state=State.REFUSED if verdict.is_refused else State.REJECTED,
        method=METHODS[finding.unit],
        level=LEVEL,
        rows=finding.whole.rows,
        groups=finding.whole.clusters,
        fit_ms=finding.fit_ms,
        code=verdict.code,
        reason=verdict.reason,
        needs=needs_of(verdict),
        figures=figures_of(finding),
    )
    if not verdict.is_refused:
        seal(model, finding.to_json())
    model.save()
    served = ImpactModel.objects.champions().filter(target=model.target, unit=model.unit)
    before = served.first()
    if not verdict.is_refused:
        settle(model, finding.judged, at=at)
    ImpactScore.objects.bulk_create(scores_of(model, finding), batch_size=500)
    notices.claims_changed(before, served.all().first(), at=at)
    return model


def publish_forecast(training: Training, finding: ForecastFinding, *, at: datetime) -> ImpactModel:
    """Write one target's model and what it says of open projects, and let it serve unless it is worse."""
    forecast, verdict = finding.forecast, finding.forecast.verdict
    model = ImpactModel(
        training=training,
        target=finding.target,
        state=State.REFUSED if verdict.is_refused else State.REJECTED,
        method="stack of median, ridge and LightGBM, cross-conformal by project",
        level=forecast.level,
        rows=forecast.rows,
        groups=forecast.groups,
        fit_ms=finding.fit_ms,
        code=verdict.code,
        reason=verdict.reason,
        needs=needs_of(verdict),
        figures=forecast_figures(finding),
    )
    if not verdict.is_refused:
        seal(model, finding.to_json())
    model.save()
    if not verdict.is_refused:
        settle(model, finding.judged, at=at)
    if model.state in (State.CHAMPION, State.REFUSED):
        Forecast.objects.bulk_create(forecast_rows(model, finding, at=at), batch_size=500)
    return model


def forecast_figures(finding: ForecastFinding) -> dict[str, object]:
    """What the training measured of a forecast."""
    forecast = finding.forecast
    return {
        "basis": forecast.basis,
        "errors": {name: rounded(value) for name, value in forecast.errors.items()},
        "explained": rounded(forecast.explained),
        "mix": list(forecast.mix),
        "holdout": holdout_of(finding.judged, finding.why_not_judged, BASELINE)
        | {"coverage": rounded(finding.covered)}
        | ({"failed_error_ratio": rounded(finding.failed)} if finding.failed is not None else {}),
    }


def forecast_rows(model: ImpactModel, finding: ForecastFinding, *, at: datetime) -> Iterator[Forecast]:
    """One row for each open project; a refusal has no number."""
    for row, said, why in zip(finding.rows, finding.predictions, finding.reasons, strict=True):
        hedge = hedged(said.verdict, finding.scope, row.known, row.problem_class)
        verdict = hedge.verdict
        known = not verdict.is_refused
        yield Forecast(
            model=model,
            project_id=row.id,
            target=finding.target,
            unit=UNITS[finding.target],
            level=model.level,
            status=verdict.status,
            code=verdict.code,
            reason=verdict.reason[:500],
            needs=needs_of(verdict),
            basis=said.basis if known else "",
            p10=said.lo if known else None,
            p50=said.value if known else None,
            p90=said.hi if known else None,
            planned=row.planned[finding.target],
            pooled=hedge.pooled,
            outside=list(hedge.outside),
            contributions=list(why),
            made_at=at,
        )


def publish_ranking(training: Training, finding: RankingFinding, *, at: datetime) -> ImpactModel:
    """Write the ranking's choice between mean rank and model with the figures of both; let it serve unless it is worse."""
    ranker = finding.ranker
    model = ImpactModel(
        training=training,
        target=ImpactModel.Target.RANKING,
        state=State.REFUSED if ranker.verdict.is_refused else State.REJECTED,
        method="mean rank within projects, or shared means kriged on the runs seen, by NDCG@5 on projects left out",
        rows=ranker.projects,
        groups=ranker.projects,
        fit_ms=finding.fit_ms,
        code=ranker.verdict.code,
        reason=ranker.verdict.reason,
        needs=needs_of(ranker.verdict),
        figures={
            "basis": ranker.basis,
            "classes": dict(finding.classes),
            "cold": ranker.cold,
            "judged": len(ranker.judged.get("mean_rank", ())),
            "quality": {name: rounded(value) for name, value in ranker.quality.items()},
        },
    )
    standings = {one.artifact: standing_of(one, finding) for one in rank(ranker, {}).advice}
    seal(model, {"basis": ranker.basis, "cold": ranker.cold, "quality": ranker.quality, "standings": standings})
    objection = "" if ranker.verdict.is_refused else objection_to_ranking(ranker, model)
    if objection:
        model.reason = objection
    model.save()
    if not ranker.verdict.is_refused and not objection:
        model.promote(at)
    return model


def standing_of(ranked: Ranked, finding: RankingFinding) -> dict[str, object]:
    """What a project without runs is told of an artifact, and in which classes that was used."""
    said = standing_words(ranked, pooled=len(finding.classes) > 1)
    used_in = dict(finding.users.get(ranked.artifact, {}))
    return {"standing": rounded(ranked.standing), "used": ranked.used, "used_in": used_in, "reason": said}


def standing_words(ranked: Ranked, *, pooled: bool) -> str:
    """A standing in words, with its interval."""
    over = ", pooled over all problem classes" if pooled else ""
    return (
        f"Expected to do better than {ranked.standing:.0f} % of the artifacts here "
        f"({RANKED_LEVEL:.0%} interval {ranked.lo:.0f} to {ranked.hi:.0f} %){over}: {ranked.reason}."
    )


def objection_to_ranking(ranker: Ranker, model: ImpactModel) -> str:
    """Compare by NDCG on the same left-out projects: with the mean rank, and with what the champion orders by."""
    champion = ImpactModel.objects.champions().filter(target=ImpactModel.Target.RANKING).first()
    theirs = str(champion.figures.get("basis", "")) if champion else ""
    rivals = {"mean_rank": "the mean rank"} | ({theirs: "what serves"} if theirs in ranker.judged else {})
    for method, words in rivals.items():
        lost, lost_by_rival = (1 - np.array(ranker.judged.get(name, ())) for name in (ranker.basis, method))
        if is_worse(lost, lost_by_rival):
            return f"on projects left out it ranks worse than {words}"
    if theirs in ranker.quality:
        model.figures["champion_quality"] = rounded(ranker.quality[theirs])
    return ""


def holdout_of(judged: Judged | None, reason: str, baseline: str) -> dict[str, object]:
    """The time-ordered backtest in figures."""
    if judged is None:
        return {"reason": reason}
    return {
        "trained_projects": judged.trained,
        "tested_projects": len(judged.losses.model),
        "error_ratio": rounded(judged.losses.ratio),
        "baseline": baseline,
    }


def figures_of(finding: ImpactFinding) -> dict[str, object]:
    """What the training measured of itself."""
    whole = finding.whole
    return {
        "outcome_explained": rounded(whole.outcome_explained),
        "outcome_learner": whole.outcome_learner,
        "prior_mean": rounded(whole.prior_mean),
        "prior_deviation": rounded(whole.prior_deviation),
        "classes": dict(sorted(Counter(finding.classes.values()).items())),
        "problem_classes": {name: result.verdict.status for name, result in finding.results.items() if name},
        "claims": held_claims(finding),
        "holdout": holdout_of(finding.judged, finding.why_not_judged, "assuming that no artifact matters"),
    }


def held_claims(finding: ImpactFinding) -> dict[str, object]:
    """How many intervals of the serving model hold the new estimates. The data overlap: it shows stability, not truth."""
    champion = ImpactModel.objects.champions().filter(target="impact", unit=finding.unit).first()
    if champion is None:
        return {}
    try:
        claims = unseal(champion)["effects"][""]
    except (Conflict, ValueError, KeyError):
        return {}
    now = effects_of(finding.whole)
    both = [name for name in claims if name in now]
    held = sum(claims[name][1] <= now[name] <= claims[name][2] for name in both)
    return {"of": len(both), "held": held, "model": str(champion.pk)}


def scores_of(model: ImpactModel, finding: ImpactFinding) -> Iterator[ImpactScore]:
    """One score for each artifact and class."""
    for problem_class, result in finding.results.items():
        # Strongest first, refusals last: lists are read in the order of writing.
        for effect in sorted(result.effects, key=lambda one: (one.effect is None, -(one.effect or 0.0), one.artifact)):
            yield score_of(model, problem_class, effect, finding)


def score_of(model: ImpactModel, problem_class: str, effect: Effect, finding: ImpactFinding) -> ImpactScore:
    """One row. A refusal carries counts and reasons, and no estimate, not even the raw one."""
    verdict = effect.verdict
    if model.code == NO_CLAIM and not verdict.is_refused:
        verdict = refused(NO_CLAIM, model.reason)
    users = finding.users.get(problem_class, {}).get(effect.artifact, [])
    row = ImpactScore(
        model=model,
        artifact_id=UUID(effect.artifact),
        problem_class=problem_class,
        status=verdict.status,
        code=verdict.code,
        reason=verdict.reason[:500],
        needs=needs_of(verdict),
        n_used=effect.used,
        n_unused=effect.unused,
        n_projects=len(users),
        used_by_class=finding.used_by_class(users),
        overlap=effect.overlap,
        covariates=[{"covariate": one.covariate, "share": round(one.share, 6)} for one in effect.influences],
        evidence=users[:MOST_EVIDENCE],
    )
    if not verdict.is_refused:
        row.effect, row.low, row.high = effect.effect, effect.lo, effect.hi
        row.adjusted_effect, row.raw_effect = effect.adjusted, effect.raw
        row.sensitivity, row.sensitivity_interval = effect.to_zero, effect.to_unsure
    return row


def needs_of(verdict: Verdict) -> list[dict[str, object]]:
    """What is short, for programs."""
    return [{"what": need.what, "have": need.have, "at_least": need.at_least} for need in verdict.needs]
