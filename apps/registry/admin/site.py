"""The registry room's admin: its line of the navigation, and how its things are found."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from apps.registry.finding.artifacts import Asked, best, find_versions
from apps.tenants.access.people.principal import looker
from maestro.admin.sites import Hit, Task, tenant_site

FEW = 8


def find(request: HttpRequest, text: str) -> Iterator[Hit]:
    """Artifacts by name, words of what is said of them, or id; versions by name@alias, name v3, id or digest."""
    if request.user.has_perm("registry.view_artifact"):
        who = looker(request)
        for version in find_versions(who, text, FEW):
            url = reverse("admin:registry_artifactversion_change", args=[version.pk])
            yield Hit("version", str(version), url, version.state)
        for artifact in best(who, Asked(text), FEW):
            url = reverse("admin:registry_artifact_change", args=[artifact.pk])
            yield Hit("artifact", artifact.name, url, artifact.get_kind_display())


tenant_site.add_task(
    Task(
        "Artifacts",
        "admin:registry_artifact_changelist",
        "artifacts",
        40,
        covers=("admin:registry_artifactversion_changelist", "admin:find"),
        permission="registry.view_artifact",
        by_project=True,
    )
)
tenant_site.add_search(find)
