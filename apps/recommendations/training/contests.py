"""The recommendations room: a new model against the one that serves. Loads LightGBM: never in a web process.

A model is nearer to the projects it was trained on than to any other. So the two are compared on projects that
neither has seen: those whose outcome became known since the serving one was trained. Where these are too few the
new one serves if it rests on no fewer rows; what it knows more is the only difference there is.
"""

import math
from datetime import datetime
from uuid import UUID

from apps.recommendations.models import ImpactModel
from apps.recommendations.training.holdout import NO_RIVAL, Rival, is_worse
from apps.recommendations.training.impact import Judged
from apps.recommendations.work.promotion import unseal
from maestro.errors import Conflict


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
    """Promote, or keep the reason why not."""
    champion = ImpactModel.objects.champions().filter(target=model.target, unit=model.unit).first()
    objection = objection_to(judged, champion, model)
    if objection:
        model.reason = objection
    model.save(update_fields=["reason", "figures"])
    if not objection:
        model.promote(at)


def objection_to(judged: Judged | None, champion: ImpactModel | None, model: ImpactModel) -> str:
    """Say why a new model must not serve; nothing if it may."""
    if judged is not None and is_worse(judged.losses.model, judged.losses.baseline):
        return f"in the backtest it foresaw later projects worse than {model.figures['holdout']['baseline']}"
    if champion is None or rival_of(champion) == NO_RIVAL:
        return ""
    if judged is None or judged.rival != str(champion.pk):
        return objection_to_size(champion, model)
    try:
        theirs = judged.judge(unseal(champion))
    except (ValueError, KeyError):
        return ""
    model.figures["holdout"]["champion_error_ratio"] = rounded(theirs.ratio)
    if is_worse(judged.losses.model, theirs.model):
        return "in the backtest it foresaw projects that neither has seen worse than the model that serves"
    return ""


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
