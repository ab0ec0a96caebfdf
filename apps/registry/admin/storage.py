"""The registry room's admin: what is kept, by project, by kind and by age, and a warning where a quota is nearly used."""

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import Count, Sum
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from apps.registry.models import Artifact
from apps.tenants.access.people.principal import looker
from apps.tracking.files import kept
from apps.tracking.files.kept import Kept
from apps.tracking.files.use import Heap
from apps.tracking.models import Blob
from maestro import charts
from maestro.admin.sites import Part, tenant_site

SEES = "tracking.view_blob"
KINDS = {
    "run_files": "Files of runs",
    "logged_models": "Logged models",
    "traces": "Traces",
    "exports": "Exports of runs",
    **{kind.value: f"{kind.label}s" for kind in Artifact.Kind},
}
AGES = {
    "week": "7 days or less",
    "month": "8 to 30 days",
    "quarter": "31 to 90 days",
    "year": "91 days to a year",
    "older": "Over a year",
}
MOST_BARS = 20


def storage(request: HttpRequest) -> HttpResponse:
    """The page: totals, a bar chart with its table for each way to divide them, what a sweep would free."""
    if not request.user.has_perm(SEES) or looker(request).projects is not None:
        raise PermissionDenied
    found = kept.kept(timezone.now(), is_fresh=request.GET.get("fresh") == "1")
    context = {
        "title": "Storage",
        "kept": found,
        "by_project": charts.byte_bars("By project", list(by_project(found))[:MOST_BARS]),
        "by_kind": charts.byte_bars("By kind", list(labelled(found.kinds, KINDS)) + loose(found)),
        "by_age": charts.byte_bars("By age", list(labelled(found.ages, AGES, is_ranked=False))),
        "fresh_url": f"{reverse('admin:storage')}?fresh=1",
    }
    return tenant_site.page(request, "admin/registry/storage.html", context)


def by_project(found: Kept) -> Iterable[tuple[str, int, int]]:
    """Each project's part, the largest first, then what is of no project."""
    for one in found.projects:
        if one.heap.bytes or one.heap.files:
            yield str(one.project), one.heap.bytes, one.heap.files
    if found.others.files:
        yield "Smaller projects", found.others.bytes, found.others.files
    if found.shared.files:
        yield "Of no project", found.shared.bytes, found.shared.files


def labelled(
    heaps: dict[str, Heap], labels: dict[str, str], *, is_ranked: bool = True
) -> Iterable[tuple[str, int, int]]:
    """Heaps under the names that people read."""
    rows = [(labels.get(name, name), heap.bytes, heap.files) for name, heap in heaps.items()]
    return sorted(rows, key=lambda row: -row[1]) if is_ranked else rows


def loose(found: Kept) -> list[tuple[str, int, int]]:
    """What nothing names, if there is any."""
    return [("Without a name", found.unnamed.bytes, found.unnamed.files)] if found.unnamed.files else []


def storage_card(request: HttpRequest, _: None) -> dict[str, Any]:
    """Bytes of this tenant, each content once."""
    used = Blob.objects.aggregate(size=Sum("size_bytes"), blobs=Count("sha256"))
    if looker(request).projects is not None:
        return used
    return used | {"more_url": reverse("admin:storage"), "more_text": "By project and kind"}


def warning_card(request: HttpRequest, _: None) -> dict[str, Any] | None:
    """Quotas that are nearly used, for those who can do something about it."""
    person, who = request.user, looker(request)
    if who.projects is not None or not (getattr(person, "is_superuser", False) or who.has_role("admin")):
        return None
    found = kept.warned()
    return {"warned": found, "more_url": reverse("admin:storage"), "more_text": "What is kept"} if found else None


FOLDER = "admin/registry/card_{}.html"
tenant_site.add_page("storage/", storage, "storage")
tenant_site.add_part("home", Part("Storage", FOLDER.format("storage"), storage_card, "state", 90, SEES))
tenant_site.add_part("home", Part("Storage is nearly full", FOLDER.format("quota"), warning_card, "state", 5, SEES))
