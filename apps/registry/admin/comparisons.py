"""The registry room's admin: two versions of an artifact beside each other."""

import uuid
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from apps.registry import comparisons
from apps.registry.admin.prompts import AROUND, LINES_MOST, Line, chosen, differences
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.scoping import artifacts_for
from apps.tenants.access.people.principal import looker
from maestro.admin.sites import tenant_site

COMPARABLE, ROWS = 200, 200


@dataclass(frozen=True)
class Changed:
    """A text's lines that changed; none of a long one."""

    name: str
    lines: list[Line]
    is_long: bool = False


def compare(request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
    """The page: `?a=1&b=2` name the versions, the newest two without it."""
    if not request.user.has_perm("registry.view_artifact"):
        raise PermissionDenied
    artifact: Artifact | None = artifacts_for(looker(request)).filter(pk=pk).first()
    if artifact is None:
        raise Http404
    numbers = list(artifact.versions.order_by("-number").values_list("number", flat=True)[:COMPARABLE])
    b = chosen(request, "b", numbers[0] if numbers else 0)
    a = chosen(request, "a", next((number for number in numbers if number != b), 0))
    context: dict[str, Any] = {"title": f"Versions of {artifact.name}", "artifact": artifact, "numbers": numbers}
    rows = ArtifactVersion.objects.select_related("artifact", "logged_model").filter(artifact=artifact)
    found = {row.number: row for row in rows.filter(number__in=(a, b))}
    context |= {"a": found.get(a), "b": found.get(b)}
    if a in found and b in found:
        told = comparisons.compare(found[a], found[b], looker(request))
        context |= {"found": told, "rows": ROWS, "around": AROUND, "lines_most": LINES_MOST}
        context |= {name: getattr(told, name)[:ROWS] for name in ("files", "facts", "tags", "metrics")}
        context["texts"] = [changed(one) for one in told.words]
    return tenant_site.page(request, "admin/registry/compare.html", context)


def changed(words: comparisons.Words) -> Changed:
    """Compare a text line by line, unless it is too long for that."""
    before, after = words.before.splitlines(), words.after.splitlines()
    if max(len(before), len(after)) > LINES_MOST:
        return Changed(words.name, [], is_long=True)
    return Changed(words.name, list(differences(before, after)))


tenant_site.add_page("artifacts/<uuid:pk>/compare/", compare, "artifact_compare", by_project=True)
