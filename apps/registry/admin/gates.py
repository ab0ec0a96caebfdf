"""The registry room's admin: gates, in plain forms: a name, a path or a bound on a metric a line."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from apps.registry.actions import Act
from apps.registry.gates import bounds, rules
from apps.registry.models import Gate
from apps.registry.scoping import artifacts_for
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.people.admin import RuledByProject
from apps.tenants.access.people.principal import acting, looker
from apps.tracking.models import Project
from maestro import limits
from maestro.admin.sites import tenant_site
from maestro.errors import Invalid

FORM_CHARS = 20_000
RULES = "registry.delete_gate"


class Lines(forms.CharField):
    """A list, one a line."""

    widget = forms.Textarea(attrs={"rows": 3})

    def __init__(self, *, chars: int, **kwargs: Any) -> None:
        super().__init__(required=False, max_length=FORM_CHARS, **kwargs)
        self.chars = chars

    def prepare_value(self, value: Any) -> Any:
        """Show a list as lines."""
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Read lines; blank ones say nothing."""
        lines = [line.strip() for line in str(super().clean(value)).splitlines() if line.strip()]
        if any(len(line) > self.chars for line in lines):
            raise forms.ValidationError(f"a line has at most {self.chars} characters")
        return list(dict.fromkeys(lines))


class Bounds(Lines):
    """Bounds on metrics, one a line."""

    def prepare_value(self, value: Any) -> Any:
        """Show what a gate keeps as people write it."""
        return "\n".join(str(bounds.of_json(row)) for row in value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        """Read each line as a bound."""
        try:
            return rules.read_metrics("\n".join(super().clean(value)))
        except Invalid as error:
            raise forms.ValidationError(error.detail) from error


class GateForm(forms.ModelForm[Gate]):
    """What a gate counts for, protects and asks."""

    aliases = Lines(chars=limits.ALIAS_CHARS, help_text="one a line; * is every alias")
    stages = forms.MultipleChoiceField(
        choices=[(stage, stage) for stage in rules.STAGES], required=False, widget=forms.CheckboxSelectMultiple
    )
    metrics = Bounds(chars=1_000, help_text=f"one a line: {bounds.EXAMPLE}")
    files = Lines(chars=limits.PATH_BYTES, help_text="one a line; a folder ends with /")  # type: ignore[assignment]
    sections = Lines(
        chars=limits.KEY_CHARS, label="Sections of the card", help_text="headings with words below them, one a line"
    )

    class Meta:
        model = Gate
        fields = ("name", "artifact", "project", "kind", *rules.PLAIN[2:])

    def clean(self) -> Any:
        """Ask the rule about all of it."""
        told = super().clean() or self.cleaned_data
        if not self.errors:
            for name, detail in rules.wrong_in(Gate(**told)):
                self.add_error(name, detail)
        return told


@admin.register(Gate, site=tenant_site)
class GateAdmin(RuledByProject, AuditedAdmin):
    """Gates; an admin says what they ask: of the tenant about all, of a project about its own."""

    form = GateForm
    acts = Acts(Act.GATE_ADD, Act.GATE_CHANGE, Act.GATE_DELETE)
    list_display = ("name", "counts_for", "protects_shown", "asks", "changed_by", "changed_at")
    autocomplete_fields = ("artifact", "project")
    show_full_result_count = False
    fieldsets = (
        (None, {"fields": ("name", "aliases", "stages")}),
        ("Counts for", {"fields": ("artifact", "project", "kind", "spares_prompts")}),
        (
            "Asks",
            {"fields": ("approvals", "metrics", "files", "sections", "max_run_age_hours", "needs_signature")},
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Gate]:
        """Gates within reach."""
        return Gate.objects.visible_to(looker(request).projects).select_related("artifact", "project").order_by("name")

    def project_of(self, row: Any) -> Any:
        """The project whose gate it is."""
        return row.home

    @admin.display(description="Counts for")
    def counts_for(self, gate: Gate) -> str:
        """One artifact, or those of a project or kind."""
        if gate.artifact:
            return str(gate.artifact)
        every = "all but prompts" if gate.spares_prompts else "all artifacts"
        kind = gate.get_kind_display() or every  # type: ignore[attr-defined]
        return f"{kind} of {gate.project}" if gate.project else str(kind)

    @admin.display(description="Protects")
    def protects_shown(self, gate: Gate) -> str:
        """The aliases and stages."""
        return ", ".join([*(f"@{name}" for name in gate.aliases), *gate.stages])

    @admin.display(description="Asks")
    def asks(self, gate: Gate) -> str:
        """All conditions in a few words."""
        told = [str(bounds.of_json(row)) for row in gate.metrics] + gate.files
        told += [f"card: {name}" for name in gate.sections]
        told += ["a signature"] if gate.needs_signature else []
        told += [f"a run of the last {gate.max_run_age_hours:g} h"] if gate.max_run_age_hours is not None else []
        told += [f"{gate.approvals} approval{'s' if gate.approvals > 1 else ''}"] if gate.approvals else []
        return "; ".join(told)

    def rules_all(self, request: HttpRequest) -> bool:
        """Say whether somebody rules gates of the whole tenant."""
        return bool(request.user.has_perm(RULES)) and looker(request).projects is None

    def get_autocomplete_fields(self, request: HttpRequest) -> tuple[str, ...]:
        """Who rules some projects only chooses among what is theirs."""
        return ("artifact", "project") if self.rules_all(request) else ()

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """Offer what somebody rules."""
        if not self.rules_all(request):
            ruled = [pk for pk, role in looker(request).project_roles.items() if role == "admin"]
            offered = {
                "artifact": artifacts_for(looker(request)).filter(project_id__in=ruled),
                "project": Project.objects.filter(pk__in=ruled),
            }
            kwargs["queryset"] = offered[db_field.name]
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def note(self, *args: Any, **kwargs: Any) -> None:
        """The verbs record, whichever door calls them."""

    def save_model(self, request: HttpRequest, obj: Gate, form: Any, change: bool) -> None:
        """Make or change it by the rule."""
        if change:
            rules.change(obj, form.cleaned_data, acting(request), at=timezone.now())
        else:
            rules.add(obj, acting(request), at=timezone.now())

    def delete_model(self, request: HttpRequest, obj: Gate) -> None:
        """Delete it by the rule."""
        rules.delete(obj, acting(request))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Gate]) -> None:
        """Do the same for many."""
        for gate in queryset:
            self.delete_model(request, gate)
