"""The registry room's admin: an artifact: is it worth reusing, and how."""

import uuid
from typing import Any

from django.contrib import admin
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from apps.registry import cards
from apps.registry.actions import Act
from apps.registry.admin import prompts
from apps.registry.admin.acts import acts_for, tags_card
from apps.registry.admin.aliases import may_change
from apps.registry.admin.card_templates import template_for
from apps.registry.models import Artifact, ArtifactVersion, Usage
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.people.admin import ChangedByProject
from apps.tenants.access.people.principal import looker
from apps.tracking.scoping import projects_for, runs_for
from maestro.admin.forms import LongForm
from maestro.admin.sites import tenant_site
from maestro.clock import from_ms
from maestro.principals import Principal
from maestro.templatetags.maestro import ago, sig

VERSIONS_SHOWN, PROJECTS_SHOWN = 50, 20
NAME_SHOWN, SAID_CHARS, ALIASES_SHOWN = 80, 100, 3


class ArtifactAdmin(ChangedByProject, AuditedAdmin):
    """The list, the form for words about it, and the artifact's own page."""

    form = LongForm
    acts = Acts(Act.ARTIFACT_CREATE, Act.ARTIFACT_CHANGE, Act.ARTIFACT_DELETE)
    list_display = ("named", "kind", "owner", "latest", "aliases_shown", "project_count", "use_count", "last_used")
    list_display_links = None
    list_filter = ("kind", "owner")
    list_per_page = 50
    search_fields = ("name", "description")
    change_list_template = "admin/registry/artifact_list.html"
    show_full_result_count = False
    fields = ("name", "kind", "owner", "description", "card")
    readonly_fields = ("name", "kind")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """An artifact comes with its first version, through the API or the MLflow client."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Artifact | None = None) -> bool:
        """What others reuse does not vanish by a click."""
        return False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Artifact]:
        """Artifacts with their newest version, and who uses them, as far as the one who looks sees."""
        reach = looker(request).projects
        within = Q() if reach is None else Q(versions__usages__project__in=reach)
        counted = (
            super()
            .get_queryset(request)
            .annotate(
                newest=Max("versions__number", filter=Q(versions__deleted_ms=None)),
                projects=Count("versions__usages__project", distinct=True, filter=within),
                uses=Count("versions__usages", filter=within),
                last_use=Max("versions__usages__at", filter=within),
            )
        )
        return counted.prefetch_related("aliases").order_by("name")

    @admin.display(description="Newest", ordering="newest", empty_value="–")
    def latest(self, artifact: Any) -> str | None:
        """The newest version's number."""
        return f"v{artifact.newest}" if artifact.newest else None

    @admin.display(description="Artifact", ordering="name")
    def named(self, artifact: Any) -> SafeString:
        """The name, and the beginning of what is said of it."""
        url = reverse("admin:registry_artifact_change", args=[artifact.pk])
        said = Truncator(plain(artifact.description or cards.read(artifact.card).body)).chars(SAID_CHARS)
        below = format_html('<span class="clip quiet line-below">{}</span>', said) if said else ""
        return format_html('<a href="{}">{}</a>{}', url, Truncator(artifact.name).chars(NAME_SHOWN), below)

    @admin.display(description="Aliases", empty_value="–")
    def aliases_shown(self, artifact: Any) -> SafeString | None:
        """The first aliases."""
        names = sorted(alias.name for alias in artifact.aliases.all())[:ALIASES_SHOWN]
        return format_html_join(" ", '<span class="tag">@{}</span>', ((name[:30],) for name in names)) or None

    @admin.display(description="Projects", ordering="projects")
    def project_count(self, artifact: Any) -> SafeString:
        """How many projects use it."""
        return figure(artifact.projects)

    @admin.display(description="Uses", ordering="uses")
    def use_count(self, artifact: Any) -> SafeString:
        """How often it was used."""
        return figure(artifact.uses)

    @admin.display(description="Last used", ordering="last_use", empty_value="never")
    def last_used(self, artifact: Any) -> Any:
        """When it was used last."""
        return ago(artifact.last_use) if artifact.last_use else None

    def get_urls(self) -> list[URLPattern]:
        """The form moves to /edit/, because the artifact's own page is what links lead to."""
        edit = self.admin_site.admin_view(self.edit_view)
        return [path("<uuid:pk>/edit/", edit, name="registry_artifact_edit"), *super().get_urls()]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """The form of an artifact without a card may begin with what a card of its kind says."""
        found = super().get_object(request, object_id, from_field)
        if found is not None and request.method == "GET" and "template" in request.GET and not found.card:
            found.card = template_for(found.kind)
        return found

    def edit_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The stock form."""
        return super().change_view(request, str(pk))

    def response_post_save_change(self, request: HttpRequest, obj: Artifact) -> HttpResponseRedirect:
        """After saving, back to the artifact's page."""
        return HttpResponseRedirect(reverse("admin:registry_artifact_change", args=[obj.pk]))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """The artifact's page."""
        try:
            artifact = self.get_queryset(request).filter(pk=uuid.UUID(object_id)).first()
        except ValueError as error:
            raise Http404 from error
        if artifact is None or not self.has_view_permission(request, artifact):
            raise Http404
        who = looker(request)
        versions = versions_of(artifact, who)
        context = {
            "title": artifact.name,
            "artifact": artifact,
            "may_edit": self.has_change_permission(request, artifact),
            "versions": versions,
            "used_by": used_by(artifact, who),
            "snippet": snippet_for(artifact, versions),
            "acts": acts_for(request, artifact),
            "tags_card": tags_card(artifact, may_edit=may_change(request, artifact)),
            **prompts.shown(request, artifact, [row["version"].number for row in versions]),
            "card": cards.read(artifact.card),
            **tenant_site.cards(request, "artifact", artifact),
        }
        return tenant_site.page(request, "admin/registry/artifact.html", context)


def figure(count: int) -> SafeString:
    """A count, set to the right."""
    return format_html('<span class="num">{}</span>', sig(count))


def plain(text: str) -> str:
    """The first line of a Markdown text that says something, without its signs."""
    lines = (line.strip() for line in text.splitlines())
    said = (line for line in lines if line and not line.startswith(("#", "---", "```", "|", "<")))
    return next(said, "").lstrip("->* ").replace("**", "").replace("`", "")


def versions_of(artifact: Artifact, who: Principal) -> list[dict[str, Any]]:
    """The newest versions with their aliases, how many runs used each, and the run that made it, if it is within reach."""
    within = Q() if who.projects is None else Q(usages__project__in=who.projects)
    counted = artifact.versions.annotate(uses=Count("usages", filter=within))
    rows = list(counted.order_by("-number")[:VERSIONS_SHOWN])
    runs = runs_for(who).in_bulk([row.run_id for row in rows if row.run_id])
    aliases: dict[Any, list[str]] = {}
    for alias in sorted(artifact.aliases.all(), key=lambda alias: alias.name):
        aliases.setdefault(alias.version_id, []).append(alias.name)
    return [
        {
            "version": row,
            "run": runs.get(row.run_id),
            "made_at": from_ms(row.created_ms),
            "aliases": aliases.get(row.pk, []),
        }
        for row in rows
    ]


def used_by(artifact: Artifact, who: Principal) -> list[Any]:
    """The projects within reach that used any version, with how often and how they went."""
    within = Usage.objects.filter(version__artifact=artifact, project__in=projects_for(who).values("pk"))
    usages = within.values("project_id", "project__name", "project__success", "project__problem_class")
    counted = usages.annotate(uses=Count("id"), last=Max("at")).order_by("-last")
    return list(counted[:PROJECTS_SHOWN])


def snippet_for(artifact: Artifact, versions: list[dict[str, Any]]) -> str:
    """How to use it from code that trains, so that Maestro sees the use."""
    newest: ArtifactVersion | None = versions[0]["version"] if versions else None
    alias = next((row["aliases"][0] for row in versions if row["aliases"]), "")
    version = alias or (str(newest.number) if newest else "1")
    separator = "@" if alias else "/"
    if artifact.kind == Artifact.Kind.MODEL:
        return f'model = mlflow.pyfunc.load_model("models:/{artifact.name}{separator}{version}")'
    said = f'mlflow.set_tag("maestro.uses", "{artifact.name}@{version}")'
    if artifact.kind == Artifact.Kind.PROMPT:
        return f'prompt = mlflow.genai.load_prompt("prompts:/{artifact.name}{separator}{version}")\n{said}'
    return said


tenant_site.register(Artifact, ArtifactAdmin)
