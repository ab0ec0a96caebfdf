"""FLOOR: the two admin sites, a tenant's and the operator's, with navigation by task instead of by app.

A room adds what it shows from its own `admin` package: a line of the side navigation (`add_task`), a card on
a page (`add_part`), a page of its own (`add_page`), a way to be found (`add_search`). The floor names
no room; it only keeps the order.

Somebody who has roles in projects only, and none in the tenant, meets just what says that it shows such people
their projects and nothing else (`by_project`). Whatever does not say so is closed to them.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import update_wrapper
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin import AdminSite, ModelAdmin
from django.contrib.admin.widgets import AdminSplitDateTime
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, URLResolver, path, reverse

from maestro.admin.parts import Card, Hit, NavLine, Page, Part, Parts, Task

__all__ = [
    "Card",
    "Hit",
    "LabelledDateTime",
    "ListedAdmin",
    "LookOnlyAdmin",
    "NavLine",
    "Part",
    "Task",
    "operator_site",
    "tenant_site",
]
MIN_SEARCH, MAX_HITS = 2, 20
FILTER_ENDS = ("", "__exact", "__in", "__isnull", "__id__exact", "__gte", "__lt")


class MaestroSite(AdminSite):
    """An AdminSite that rooms extend by task, page, home part and search."""

    enable_nav_sidebar = False
    empty_value_display = "–"
    site_url = None
    product = "Maestro"
    gate: Callable[[HttpRequest], str] | None = None

    def __init__(self, name: str = "admin") -> None:
        super().__init__(name)
        self._parts = Parts()

    def add_task(self, task: Task) -> None:
        """Show `task` in the side navigation."""
        self._parts.tasks = sorted([*self._parts.tasks, task], key=lambda line: line.order)

    def add_part(self, page: str, part: Part) -> None:
        """Show `part` on every `page` of this kind."""
        shown = [*self._parts.parts.get(page, []), part]
        self._parts.parts[page] = sorted(shown, key=lambda card: card.order)

    def add_page(self, route: str, view: Callable[..., HttpResponse], name: str, *, by_project: bool = False) -> None:
        """Serve `view` below this site, for signed-in people only, as `admin:<name>`."""
        self._parts.pages.append(Page(route, view, name))
        if by_project:
            self._parts.by_project.add(name)

    def add_gate_page(self, route: str, view: Callable[..., Any], name: str) -> None:
        """Serve `view` below this site also to who is held at the gate. The view itself looks who that is."""
        self._parts.gate_pages.append(Page(route, view, name))

    def has_permission(self, request: HttpRequest) -> bool:
        """Let in who is staff, unless they have to see another page first."""
        return super().has_permission(request) and not self.held_at(request)

    def held_at(self, request: HttpRequest) -> str:
        """Name the page that somebody has to see before all others; empty for none."""
        return self.gate(request) if self.gate is not None else ""

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Sign in; who is signed in and held at the gate is led there."""
        if request.method == "GET" and super().has_permission(request) and (name := self.held_at(request)):
            after = urlencode({"next": request.GET.get("next", "")})
            return HttpResponseRedirect(f"{reverse(f'admin:{name}', current_app=self.name)}?{after}")
        return super().login(request, extra_context)

    def add_search(self, find: Callable[[HttpRequest, str], Iterable[Hit]]) -> None:
        """Let the search of the top bar ask `find` too."""
        self._parts.searches.append(find)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        """The site's own pages go before Django's catch-all."""
        own: list[URLResolver | URLPattern] = [
            path(page.route, self.admin_view(page.view), name=page.name) for page in self._parts.pages
        ]
        own += [path(page.route, page.view, name=page.name) for page in self._parts.gate_pages]
        own += [
            path("settings/", self.admin_view(self.settings_page), name="settings"),
            path("search/", self.admin_view(self.search_page), name="search"),
        ]
        # Django's way from a content type to its page goes unasked into any table, and no model here has such a page.
        return own + [entry for entry in super().get_urls() if getattr(entry, "name", None) != "view_on_site"]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """What every page shows: the tenant's name and the navigation."""
        context = super().each_context(request)
        context["place"] = self.place(request)
        context["nav_lines"] = self.nav_lines(request) if context["has_permission"] else []
        return context

    def place(self, request: HttpRequest) -> str:
        """The name in the top bar: whose site this is."""
        return str(getattr(getattr(request, "tenant", None), "name", "") or self.product)

    def nav_lines(self, request: HttpRequest) -> list[NavLine]:
        """The tasks this person may do; the one with the longest matching address is current."""
        home = Task("Home", f"{self.name}:index", "home", 0)
        last = Task("Settings", f"{self.name}:settings", "settings", 1000)
        seen = [task for task in self._parts.tasks if self._may_see(request, task)]
        tasks = [home, *seen, last]
        lengths = [self._match_length(request.path, task) for task in tasks]
        best = max(lengths)
        return [
            NavLine(task.label, reverse(task.url_name, current_app=self.name), task.icon, length == best > 0)
            for task, length in zip(tasks, lengths, strict=True)
        ]

    def cards(self, request: HttpRequest, page: str, subject: Any = None) -> dict[str, list[Card]]:
        """The cards that rooms add to a page, as `work_cards` and `state_cards`."""
        made: dict[str, list[Card]] = {"work_cards": [], "state_cards": []}
        for part in self._parts.parts.get(page, []):
            context = part.load(request, subject) if self._may_see(request, part) else None
            if context is not None:
                made[f"{part.column}_cards"].append(Card(part.title, part.template, part.column, context))
        return made

    def page(self, request: HttpRequest, template: str, context: Mapping[str, Any]) -> TemplateResponse:
        """Answer a page of this site: its own context over what every page shows."""
        request.current_app = self.name  # type: ignore[attr-defined]
        return TemplateResponse(request, template, {**self.each_context(request), **context})

    def poll(self, *, live: bool, fields: Mapping[str, Any]) -> JsonResponse:
        """The answer to a page that polls: what to show, and whether to ask again."""
        return JsonResponse({"live": live, "fields": dict(fields)})

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Home: what needs me on the left, how we are doing on the right."""
        context = {"title": "Home", **self.cards(request, "home"), **(extra_context or {})}
        return self.page(request, self.index_template or "admin/index.html", context)

    def settings_page(self, request: HttpRequest) -> TemplateResponse:
        """Every table this person may open, by app: what Django's own index shows."""
        context = {"title": "Settings", "app_list": self.get_app_list(request)}
        return self.page(request, "admin/settings.html", context)

    def search_page(self, request: HttpRequest) -> TemplateResponse:
        """What the rooms find for `?q=`."""
        text = request.GET.get("q", "").replace("\x00", "").strip()[:200]
        hits: list[Hit] = []
        if len(text) >= MIN_SEARCH:
            hits = [hit for find in self._parts.searches for hit in list(find(request, text))[:MAX_HITS]]
        context = {"title": "Search", "q": text, "hits": hits, "is_too_short": len(text) < MIN_SEARCH}
        return self.page(request, "admin/search.html", context)

    def is_bound(self, request: HttpRequest) -> bool:
        """Say whether this person has roles in projects only."""
        return False

    def _may_see(self, request: HttpRequest, shown: Task | Part) -> bool:
        if self.is_bound(request):
            return shown.by_project
        return not shown.permission or request.user.has_perm(shown.permission)

    def _match_length(self, current: str, task: Task) -> int:
        """How much of the current address belongs to this task; the home page only matches itself."""
        names = (task.url_name, *task.covers)
        urls = [reverse(name, current_app=self.name) for name in names]
        if task.order == 0:
            urls = [url for url in urls if url == current]
        return max((len(url) for url in urls if current.startswith(url)), default=0)


class LabelledDateTime(AdminSplitDateTime):
    """A date and a time that say to a screen reader which is which."""

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Label both halves."""
        context = super().get_context(name, value, attrs)
        for part, label in zip(context["widget"]["subwidgets"], ("Date", "Time"), strict=True):
            part["attrs"]["aria-label"] = f"{name.replace('_', ' ')}: {label}"
        return context


class ListedAdmin(ModelAdmin):
    """A list that is narrowed by what it offers and by nothing else: by other columns it would tell what it hides."""

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest) -> bool:
        """Let pass what a filter of the list asks."""
        offered = [entry for entry in self.get_list_filter(request) if isinstance(entry, str)]
        return any(lookup.removeprefix(name) in FILTER_ENDS for name in offered if lookup.startswith(name))


class LookOnlyAdmin(ListedAdmin):
    """Rows that only a room's own verbs write: people look."""

    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody types these in."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What was recorded stays."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Deleting has its own verbs."""
        return False


# What Django itself serves to everybody who is signed in.
OPEN_PAGES = frozenset({"index", "login", "logout", "password_change", "password_change_done", "jsi18n", "search"})


class TenantSite(MaestroSite):
    """A tenant's people: projects, runs, artifacts, impact. The room of people says who is bound to projects."""

    site_title = "Maestro"
    site_header = "Maestro"
    index_title = "Home"
    binds: Callable[[HttpRequest], bool] | None = None

    def is_bound(self, request: HttpRequest) -> bool:
        """Ask the room of people, if it said that it knows."""
        return self.binds is not None and request.user.is_authenticated and self.binds(request)

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Close a page to who has roles in projects only, unless it says that it knows such people."""
        inner = super().admin_view(view, cacheable)

        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if self.is_bound(request) and not self._knows_projects(request):
                raise PermissionDenied
            return inner(request, *args, **kwargs)

        return update_wrapper(guarded, inner)

    def _knows_projects(self, request: HttpRequest) -> bool:
        name = request.resolver_match.url_name if request.resolver_match else None
        if name is None or name in OPEN_PAGES or name in self._parts.by_project:
            return name is not None
        knowing = (model._meta for model, page in self._registry.items() if getattr(page, "by_project", False))
        return any(name.startswith(f"{meta.app_label}_{meta.model_name}_") for meta in knowing)


class OperatorSite(MaestroSite):
    """Those who run the installation. Sees no tenant's data."""

    site_title = "Maestro operators"
    site_header = "Maestro operators"
    index_title = "Is it healthy?"
    product = "Operators"


tenant_site = TenantSite(name="tenant_admin")
operator_site = OperatorSite(name="operator_admin")
