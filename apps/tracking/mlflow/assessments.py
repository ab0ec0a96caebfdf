"""The tracking room's MLflow door: assessments of traces."""

from typing import Any

from apps.tenants.access.people.principal import acting
from apps.tracking.mlflow.base import TrackingView
from apps.tracking.mlflow.trace_fields import assessment_info, notes, part, read_assessment, read_value
from apps.tracking.models import Assessment
from apps.tracking.scoping import traces_for
from apps.tracking.traces import assessments
from maestro import limits
from maestro.clock import now_ms
from maestro.mlflow import fields as read
from maestro.mlflow.views import MlflowRequest

CHANGEABLE = ("assessment_name", "expectation", "feedback", "rationale", "metadata")


class Assess(TrackingView):
    """POST traces/<id>/assessments"""

    def post(self, request: MlflowRequest, trace_id: str) -> dict[str, Any]:
        """Assess a trace."""
        given = read_assessment(part(self.fields(request), "assessment", ""), "assessment.")
        trace = traces_for(request.user).fetch(trace_id)
        made = assessments.create(trace, given, by=str(request.user)[:250], now=now_ms())
        return {"assessment": assessment_info(made)}


class OneAssessment(TrackingView):
    """GET, PATCH and DELETE traces/<id>/assessments/<id>"""

    def get(self, request: MlflowRequest, trace_id: str, assessment_id: str) -> dict[str, Any]:
        """Show an assessment."""
        trace = traces_for(request.user).fetch(trace_id)
        return {"assessment": assessment_info(Assessment.objects.fetch(trace, assessment_id))}

    def patch(self, request: MlflowRequest, trace_id: str, assessment_id: str) -> dict[str, Any]:
        """Change what the mask names."""
        fields = self.fields(request)
        changes = read_changes(part(fields, "assessment", ""), read_mask(fields))
        trace = traces_for(request.user).fetch(trace_id)
        return {"assessment": assessment_info(assessments.change(trace, assessment_id, changes, now=now_ms()))}

    def delete(self, request: MlflowRequest, trace_id: str, assessment_id: str) -> dict[str, Any]:
        """Take an assessment back."""
        trace = traces_for(request.user).fetch(trace_id)
        assessments.take_back(trace, assessment_id, acting(request))
        return {}


def read_mask(fields: dict[str, Any]) -> list[str]:
    """Read which fields change: a field mask travels as text with commas, in camelCase."""
    mask = fields.get("update_mask")
    if mask is None or mask == "":
        raise read.missing("update_mask")
    if isinstance(mask, dict):
        names = read.texts(mask, "paths", len(CHANGEABLE))
    else:
        names = read.as_text(mask, "update_mask", 250).split(",")
    folded = ["assessment_name" if name == "assessmentName" else name for name in names]
    for name in folded:
        if name not in CHANGEABLE:
            raise read.refuse("update_mask", name, "it must name " + ", ".join(CHANGEABLE))
    return folded


def read_changes(item: dict[str, Any], mask: list[str]) -> dict[str, Any]:
    """Read the new values of what the mask names."""
    changes: dict[str, Any] = {}
    if "assessment_name" in mask:
        changes["name"] = read.text(item, "assessment_name", limits.KEY_CHARS)
    if "rationale" in mask:
        changes["rationale"] = read.text_or(item, "rationale")
    if "metadata" in mask:
        changes["metadata"] = notes(item, "metadata", "assessment.")
    if "feedback" in mask or "expectation" in mask:
        changes |= read_value(item, "assessment.")
    return changes
