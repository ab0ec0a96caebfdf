"""The recommendations room: which model serves. A new one must not be worse than the champion, nor than the baseline.

Light: web processes roll back through it. Nothing here loads LightGBM.
"""

import hashlib
import json
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.recommendations.actions import Act
from apps.recommendations.answers import notices
from apps.recommendations.models import ImpactModel, Training
from apps.tenants.access.audit.recording import record
from maestro.errors import Conflict
from maestro.principals import Actor

State = ImpactModel.State


def seal(model: ImpactModel, document: dict[str, Any]) -> None:
    """Store a model as text beside the digest of that text."""
    model.model_text = json.dumps(document, sort_keys=True)
    model.model_sha256 = hashlib.sha256(model.model_text.encode()).hexdigest()


def unseal(model: ImpactModel) -> dict[str, Any]:
    """Read a stored model. Raises Conflict if its text is not the one that was stored."""
    if hashlib.sha256(model.model_text.encode()).hexdigest() != model.model_sha256:
        raise Conflict(f"the text of model {model.pk} does not match its sha256", "model_changed")
    document: dict[str, Any] = json.loads(model.model_text)
    return document


def roll_back(training: Training, *, by: Actor, at: datetime) -> list[ImpactModel]:
    """Take a training out of service: each of its champions is rejected, and the one before it serves again.

    Raises Conflict if none of its models serve, or if one has no predecessor.
    """
    with transaction.atomic():
        serving = list(training.models.select_for_update().filter(state=State.CHAMPION))
        if not serving:
            raise Conflict("no model of this training serves", "not_serving")
        return [step_back(model, by=by, at=at) for model in serving]


def step_back(model: ImpactModel, *, by: Actor, at: datetime) -> ImpactModel:
    """Put one champion's predecessor back into service."""
    retired = ImpactModel.objects.select_for_update().filter(target=model.target, unit=model.unit, state=State.RETIRED)
    # One whose text was pruned can't serve again; one that foresaw worse than its baseline must not.
    able = (one for one in retired.exclude(model_text="").order_by("-retired_at") if one.error_ratio <= 1)
    before = next(able, None)
    if before is None:
        raise Conflict(f"no earlier model of {model.target} {model.unit} is there to go back to", "no_predecessor")
    model.withdraw(f"rolled back by {by.name}", at=at)
    before.promote(at)
    notices.claims_changed(model, before, at=at)
    was, now = {"champion": str(model.pk)}, {"champion": str(before.pk)}
    record(by, Act.MODEL_ROLL_BACK, subject=model, before=was, after=now)
    return before
