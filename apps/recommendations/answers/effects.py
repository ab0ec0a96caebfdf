"""The recommendations room: what each artifact's latest estimate says, in one word, for the search of the registry."""

from collections.abc import Collection, Mapping
from uuid import UUID

from apps.recommendations.answers.narrowing import narrowest
from apps.recommendations.models import ImpactModel, ImpactScore
from apps.registry.finding.impacts import HELPS, HURTS, UNCLEAR
from maestro.principals import Principal


def effects(who: Principal, problem_class: str, among: Collection[UUID] | None) -> Mapping[UUID, str]:
    """Artifact -> its word, by the model that serves. Nothing for a refusal, or for who may not read estimates."""
    if who.projects is not None or not who.has_scope("recommendations", writes=False):
        return {}
    model = ImpactModel.objects.serving()
    if model is None or model.state != ImpactModel.State.CHAMPION:
        return {}
    told = ((one.score.artifact_id, word(one.score)) for one in narrowest(model, problem_class, among=among))
    return {artifact: said for artifact, said in told if said}


def word(score: ImpactScore) -> str:
    """Which side of zero the interval lies on; empty for a refusal."""
    if score.effect is None or score.low is None or score.high is None:
        return ""
    return HELPS if score.low > 0 else HURTS if score.high < 0 else UNCLEAR
