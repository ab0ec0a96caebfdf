"""The registry room's admin: its line of the navigation, and how its things are found."""

from collections.abc import Iterator

from django.http import HttpRequest
from django.urls import reverse

from apps.registry.scoping import artifacts_for
from apps.tenants.access.people.principal import looker
from maestro.admin.sites import Hit, Task, tenant_site

FEW = 8


def find(request: HttpRequest, text: str) -> Iterator[Hit]:
    """Artifacts whose name holds the text."""
    if request.user.has_perm("registry.view_artifact"):
        for artifact in artifacts_for(looker(request)).filter(name__icontains=text)[:FEW]:
            url = reverse("admin:registry_artifact_change", args=[artifact.pk])
            yield Hit("artifact", artifact.name, url, artifact.get_kind_display())


tenant_site.add_task(
    Task(
        "Artifacts",
        "admin:registry_artifact_changelist",
        "artifacts",
        40,
        covers=("admin:registry_artifactversion_changelist",),
        permission="registry.view_artifact",
        by_project=True,
    )
)
tenant_site.add_search(find)
