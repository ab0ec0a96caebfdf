"""The recommendations room: findings -> rows, and the choice of what serves. Loads LightGBM: never in a web process."""

from collections.abc import Iterator
from datetime import datetime
from uuid import UUID

from apps.recommendations.findings import LEVEL, METHODS, ImpactFinding
from apps.recommendations.holdout import is_worse
from apps.recommendations.impact import Effect
from apps.recommendations.models import ImpactModel, ImpactScore, Training
from apps.recommendations.promotion import seal, unseal
from apps.recommendations.verdicts import Verdict
from maestro.errors import Conflict

State = ImpactModel.State


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
    ImpactScore.objects.bulk_create(scores_of(model, finding), batch_size=500)
    if not verdict.is_refused:
        settle(model, finding, at=at)
    return model


def settle(model: ImpactModel, finding: ImpactFinding, *, at: datetime) -> None:
    """Promote, or keep the reason why not."""
    champion = ImpactModel.objects.champions().filter(target=model.target, unit=model.unit).first()
    objection = objection_to(finding, champion, model)
    if objection:
        model.reason = objection
    model.save(update_fields=["reason", "figures"])
    if not objection:
        model.promote(at)


def objection_to(finding: ImpactFinding, champion: ImpactModel | None, model: ImpactModel) -> str:
    """Say why a new model must not serve; nothing if it may."""
    judged = finding.judged
    if judged is None:
        return ""
    if is_worse(judged.losses.model, judged.losses.baseline):
        return "in the backtest its effects foresaw later projects worse than assuming that no artifact matters"
    if champion is None:
        return ""
    try:
        stored = unseal(champion)["effects"][""]
    except Conflict:
        # A champion whose text was changed is no measure of anything, and must not stay.
        return ""
    theirs = judged.judge({name: values[0] for name, values in stored.items()})
    model.figures["holdout"]["champion_error_ratio"] = round(theirs.ratio, 6)
    if is_worse(judged.losses.model, theirs.model):
        return "in the backtest its effects foresaw later projects worse than the serving model's"
    return ""


def figures_of(finding: ImpactFinding) -> dict[str, object]:
    """What the training measured of itself."""
    whole, judged = finding.whole, finding.judged
    figures: dict[str, object] = {
        "outcome_explained": whole.outcome_explained,
        "outcome_learner": whole.outcome_learner,
        "prior_mean": whole.prior_mean,
        "prior_deviation": whole.prior_deviation,
        "problem_classes": {name: result.verdict.status for name, result in finding.results.items() if name},
        "holdout": {"reason": finding.why_not_judged},
    }
    if judged is not None:
        figures["holdout"] = {
            "trained_projects": judged.trained,
            "tested_projects": len(judged.losses.model),
            "error_ratio": round(judged.losses.ratio, 6),
            "baseline": "assuming that no artifact matters",
        }
    return figures


def scores_of(model: ImpactModel, finding: ImpactFinding) -> Iterator[ImpactScore]:
    """One score for each artifact and class."""
    for problem_class, result in finding.results.items():
        if problem_class and result.verdict.is_refused:
            continue
        # Strongest first, refusals last: lists are read in the order of writing.
        for effect in sorted(result.effects, key=lambda one: (one.effect is None, -(one.effect or 0.0), one.artifact)):
            yield score_of(model, problem_class, effect, finding)


def score_of(model: ImpactModel, problem_class: str, effect: Effect, finding: ImpactFinding) -> ImpactScore:
    """One row. A refusal carries counts and reasons, and no estimate, not even the raw one."""
    verdict = effect.verdict
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
        n_projects=finding.counts.get(effect.artifact, 0),
        overlap=effect.overlap,
        covariates=[{"covariate": one.covariate, "share": round(one.share, 6)} for one in effect.influences],
        evidence=finding.evidence.get(effect.artifact, []),
    )
    if not verdict.is_refused:
        row.effect, row.low, row.high = effect.effect, effect.lo, effect.hi
        row.adjusted_effect, row.raw_effect = effect.adjusted, effect.raw
        row.sensitivity, row.sensitivity_interval = effect.to_zero, effect.to_unsure
    return row


def needs_of(verdict: Verdict) -> list[dict[str, object]]:
    """What is short, for programs."""
    return [{"what": need.what, "have": need.have, "at_least": need.at_least} for need in verdict.needs]
