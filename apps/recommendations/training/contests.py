"""The recommendations room: a new model against the one that serves. Loads LightGBM: never in a web process.

A model is nearer to the projects it was trained on than to any other. So the two are compared on projects that
neither has seen: those whose outcome became known since the serving one was trained. Where these are too few the
new one serves if it rests on no fewer rows; what it knows more is the only difference there is. No tolerance holds
against the baseline: a claim that foresees worse than none is none.
"""

import math
from datetime import datetime, timedelta
from uuid import UUID

from apps.recommendations.models import ImpactModel
from apps.recommendations.training.holdout import MATERIAL, NO_RIVAL, Losses, Rival, is_worse
from apps.recommendations.training.impact import Judged
from apps.recommendations.work.promotion import unseal
from maestro.errors import Conflict

NO_CLAIM = "no_claim"
MONTH_DAYS = 30


def rivals() -> dict[tuple[str, str], Rival]:
    """Target and unit -> the model that serves it, with the projects it was trained on."""
    return {(model.target, model.unit): rival_of(model) for model in ImpactModel.objects.champions()}


def rival_of(model: ImpactModel) -> Rival:
    """One champion. One whose text was changed, or is of an older form, can't be compared with anything."""
    try:
        return Rival(str(model.pk), frozenset(UUID(one) for one in unseal(model)["projects"]))
    except (Conflict, ValueError, KeyError):
        return NO_RIVAL


def settle(model: ImpactModel, judged: Judged | None, *, at: datetime) -> None:
    """Promote, or keep the reason why not. What serves is held to the same rule, and goes if it breaks it.

    A model that foresees worse than its baseline makes no claim. Where nothing else serves, that is the answer.
    """
    champion = ImpactModel.objects.champions().filter(target=model.target, unit=model.unit).first()
    if champion is not None and (broken := fault_of(champion, judged)):
        champion.withdraw(broken, at=at)
        champion = None
    claimless = fault_in(judged.losses, str(model.figures["holdout"]["baseline"])) if judged else ""
    if claimless:
        model.code, model.state = NO_CLAIM, model.State.REJECTED if champion else model.State.REFUSED
    objection = claimless or objection_to(judged, champion, model, at=at)
    if objection:
        model.reason = objection
    model.save(update_fields=["state", "code", "reason", "figures"])
    if not objection:
        model.promote(at)


def fault_in(losses: Losses, baseline: str) -> str:
    """Say by which figure a model foresaw worse than its baseline; nothing if it did not."""
    if not losses.lose:
        return ""
    return f"No claim: in the backtest its error on later projects was {losses.ratio:.3f} × that of {baseline}."


def fault_of(champion: ImpactModel, judged: Judged | None) -> str:
    """Say why what serves must not: by its own backtest, or since it plainly failed on projects that it has not seen.

    A forecast of the median's range claims no more than the baseline does.
    """
    if champion.figures.get("basis") == "median":
        return ""
    if champion.error_ratio > 1:
        return f"taken out of service: its backtest error is {champion.error_ratio:.3f} × the baseline's"
    if judged is None or judged.rival != str(champion.pk):
        return ""
    now = losses_of(champion, judged)
    if now is None or not is_worse(now.model, now.baseline):
        return ""
    return f"taken out of service: on projects that it has not seen its error is {now.ratio:.3f} × the baseline's"


def losses_of(model: ImpactModel, judged: Judged) -> Losses | None:
    """What a stored model foresees of the tested projects; None for one whose text was changed or is of an older form."""
    try:
        return judged.judge(unseal(model))
    except (Conflict, ValueError, KeyError):
        return None


def objection_to(judged: Judged | None, champion: ImpactModel | None, model: ImpactModel, *, at: datetime) -> str:
    """Say why a new model must not replace the one that serves, or the one of a month ago; nothing if it may."""
    if champion is None or rival_of(champion) == NO_RIVAL:
        return ""
    if judged is None or judged.rival != str(champion.pk):
        return objection_to_size(champion, model)
    theirs = losses_of(champion, judged)
    if theirs is None:
        return ""
    model.figures["holdout"]["champion_error_ratio"] = rounded(theirs.ratio)
    if is_worse(judged.losses.model, theirs.model):
        return "in the backtest it foresaw projects that neither has seen worse than the model that serves"
    return objection_to_steps(judged, champion, model, at=at)


def objection_to_steps(judged: Judged, champion: ImpactModel, model: ImpactModel, *, at: datetime) -> str:
    """Each step may be a little worse by chance. All steps of a month together may not exceed what one may."""
    before = ImpactModel.objects.served_since(at - timedelta(days=MONTH_DAYS), model.target, model.unit)
    if before is None or before.pk == champion.pk or not judged.tested_ids.isdisjoint(rival_of(before).seen):
        return ""
    theirs = losses_of(before, judged)
    if theirs is None:
        return ""
    model.figures["holdout"]["month_error_ratio"] = rounded(theirs.ratio)
    lost, limit = float(judged.losses.model.mean()), (1 + MATERIAL) * float(theirs.model.mean())
    if lost <= limit:
        return ""
    return (
        f"step by step it has come to foresee worse than what served {MONTH_DAYS} days ago by more than {MATERIAL:.0%}, "
        "on projects that neither has seen"
    )


def objection_to_size(champion: ImpactModel, model: ImpactModel) -> str:
    """Without projects to compare the two on, the one that rests on more serves."""
    if model.rows >= champion.rows:
        return ""
    return (
        f"it rests on {model.rows} rows, the model that serves on {champion.rows}, and too few projects have had "
        "an outcome since to compare the two"
    )


def rounded(value: float | None) -> float | None:
    """Six digits are more than any figure here is good for; what is not a number is nothing."""
    return round(value, 6) if value is not None and math.isfinite(value) else None
