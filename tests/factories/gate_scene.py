"""A gate that asks for everything, and a promotion that waits before it, for pages to be looked at."""

from datetime import datetime

from apps.registry.gates import bounds
from apps.registry.models import ArtifactVersion, Gate, Promotion
from tests.browser.traced import HOSTILE


def make_gate(version: ArtifactVersion, now: datetime) -> Promotion:
    """Write both as rows."""
    lines = ("auc >= 0.4", "auc >= @champion - 0.01 on holdout")
    Gate.objects.create(
        name=f"Good enough {HOSTILE}"[:100],
        kind="model",
        aliases=["champion", "serving"],
        stages=["Production"],
        metrics=[bounds.as_json(bounds.read_line(line)) for line in lines],
        files=["MLmodel", "model.txt"],
        sections=["Intended use"],
        max_run_age_hours=168,
        approvals=2,
        changed_by="person:bob",
        changed_at=now,
    )
    return Promotion.objects.create(
        artifact=version.artifact,
        version=version,
        what="alias",
        name="serving",
        why=f"better on the holdout {HOSTILE}",
        asked_by="key:ci of churn",
        asked_at=now,
    )
