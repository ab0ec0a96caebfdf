"""The registry room's admin: the page that finds artifacts: words, facets with counts, searches kept under names."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST

from apps.registry.finding import meaning, saved
from apps.registry.finding.artifacts import Asked, Found, excerpts, find
from apps.registry.finding.impacts import EFFECTS
from apps.registry.models import Artifact
from apps.registry.tasks import send_question
from apps.tenants.access.people.principal import acting, looker
from maestro import limits
from maestro.admin.sites import tenant_site
from maestro.errors import Invalid, MaestroError

MOST = 50
FACETS = {"kind": "Kind", "impact": "Impact", "problem_class": "Used for", "owner": "Owner", "tag": "Tag"}
LABELS: dict[str, dict[str, str]] = {"kind": dict(Artifact.Kind.choices), "impact": EFFECTS}


@dataclass(frozen=True, slots=True)
class Choice:
    """A value of a facet: how many have it, and the address that chooses it, or that lets it go."""

    label: str
    count: int
    url: str
    is_chosen: bool


def asked_in(query: QueryDict) -> Asked:
    """Read what an address asks; what is too long is cut."""
    facets = {name: query.get(name, "").replace("\x00", "").strip()[: limits.KEY_CHARS] for name in FACETS}
    by_meaning = "1" if query.get("meaning") == "1" else ""
    return Asked(query.get("q", "").replace("\x00", "").strip()[: limits.SEARCH_CHARS], **facets, meaning=by_meaning)


def choices_of(asked: Asked, found: Found, name: str) -> Iterator[Choice]:
    """The values of a facet; the one that was chosen stays, also where nothing is found."""
    chosen, labels = getattr(asked, name), LABELS.get(name, {})
    counts = dict(found.facets.get(name, {}))
    for value in dict.fromkeys([*([chosen] if chosen else []), *counts]):
        other = "" if value == chosen else value
        url = f"?{saved.address(replace(asked, **{name: other}))}"
        yield Choice(labels.get(value, value.replace("_", " ")), counts.get(value, 0), url, value == chosen)


def page(request: HttpRequest) -> HttpResponse:
    """The page. Its address is its whole state."""
    if not request.user.has_perm("registry.view_artifact"):
        raise PermissionDenied
    who, asked = looker(request), asked_in(request.GET)
    state, vector = meaning.look(asked.text, send_question, is_wanted=bool(asked.meaning))
    found = find(who, asked, MOST, vector=vector)
    said = excerpts(found.artifacts)
    context = {
        "title": "Find artifacts",
        "asked": asked,
        "has_meaning": meaning.is_offered(),
        "meaning_state": state,
        "query": saved.address(asked),
        "rows": [(row, said.get(row.pk, ""), EFFECTS.get(found.effects.get(row.pk, ""))) for row in found.artifacts],
        "has_effects": bool(found.effects),
        "most": MOST,
        "facets": [(label, list(choices_of(asked, found, name))) for name, label in FACETS.items()],
        "chosen": [(name, getattr(asked, name)) for name in FACETS if getattr(asked, name)],
        "searches": [(search, f"?{saved.address(saved.asked_of(search))}") for search in saved.searches_of(who)],
        "name_chars": limits.SEARCH_NAME_CHARS,
    }
    return tenant_site.page(request, "admin/registry/find.html", context)


@require_POST
def keep(request: HttpRequest) -> HttpResponse:
    """Keep what the page shows under a name, or forget a search; then the page as it was."""
    if not request.user.has_perm("registry.view_artifact") or not looker(request).kind:
        raise PermissionDenied
    query = QueryDict(request.POST.get("query", "")[: limits.QUERY_STRING_BYTES].replace("\x00", ""))
    asked = asked_in(query)
    try:
        if request.POST.get("do") == "delete":
            saved.delete(request.POST.get("search", ""), acting(request))
            messages.success(request, "The search is deleted.")
        else:
            made = saved.keep(read_name(request), asked, acting(request), at=timezone.now())
            messages.success(request, f"Kept as “{made}”.")
    except MaestroError as problem:
        messages.error(request, f"Nothing was changed: {problem.detail}.")
    return HttpResponseRedirect(f"{reverse('admin:find')}?{saved.address(asked)}")


def read_name(request: HttpRequest) -> str:
    """Read the name of a search. Raises Invalid."""
    name = request.POST.get("name", "").strip()
    if not name or len(name) > limits.SEARCH_NAME_CHARS or "\x00" in name:
        raise Invalid(f"give it a name of at most {limits.SEARCH_NAME_CHARS} characters", "bad_name")
    return name


tenant_site.add_page("find/", page, "find", by_project=True)
tenant_site.add_page("find/saved/", keep, "find_saved", by_project=True)
