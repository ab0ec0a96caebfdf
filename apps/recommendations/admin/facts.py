"""The recommendations room's admin: the form for what is known of a project that does not exist yet."""

import math
from typing import Any

from django import forms

from apps.recommendations.past.history import FACT_CHARS, MOST_FACTS
from apps.registry.models import Artifact
from apps.tracking.models import Project
from maestro import limits

MOST_LINES_CHARS = 8_000
MOST_ARTIFACTS, ARTIFACTS_SHOWN = 50, 300
PLAIN = (
    "problem_class",
    "complexity",
    "team",
    "team_size",
    "planned_duration_days",
    "planned_cost",
    "planned_effort_hours",
)


class WhatIfForm(forms.Form):
    """What is known before work begins. Everything may be left open."""

    problem_class = forms.ChoiceField(choices=[("", "not known"), *Project.ProblemClass.choices], required=False)
    complexity = forms.IntegerField(min_value=1, max_value=100, required=False, help_text="1 to 100")
    team = forms.CharField(max_length=100, required=False, help_text="its record is looked up")
    team_size = forms.IntegerField(min_value=1, max_value=32_767, required=False, help_text="people")
    planned_duration_days = forms.FloatField(min_value=0, max_value=1e6, required=False, label="Planned duration, days")
    planned_cost = forms.FloatField(min_value=0, max_value=1e15, required=False)
    planned_effort_hours = forms.FloatField(min_value=0, max_value=1e9, required=False, label="Planned effort, hours")
    dataset_facts = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": "rows = 12000\ncolumns = 31"}),
        max_length=MOST_LINES_CHARS,
        required=False,
        help_text=f"one a line, name = value, at most {MOST_FACTS}",
    )
    artifacts = forms.ModelMultipleChoiceField(
        queryset=Artifact.objects.none(),
        to_field_name="name",
        required=False,
        widget=forms.SelectMultiple(attrs={"size": 6}),
        help_text="what their use is associated with is shown beside the forecast",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        newest = Artifact.objects.order_by("-updated_ms").values("pk")[:ARTIFACTS_SHOWN]
        chosen = self.fields["artifacts"]
        if isinstance(chosen, forms.ModelMultipleChoiceField):
            chosen.queryset = Artifact.objects.filter(pk__in=newest).order_by("name")

    def clean_dataset_facts(self) -> dict[str, Any]:
        """Read `name = value` lines. Raises ValidationError naming the line that cannot be read."""
        found: dict[str, Any] = {}
        for number, line in enumerate(self.cleaned_data["dataset_facts"].splitlines(), 1):
            name, equals, value = (part.strip() for part in line.partition("="))
            if not line.strip():
                continue
            if not (name and equals and value) or len(name) > limits.KEY_CHARS or "\x00" in line:
                raise forms.ValidationError(f"line {number} is not `name = value`")
            found[name] = read_value(value)
        if len(found) > MOST_FACTS:
            raise forms.ValidationError(f"at most {MOST_FACTS} facts")
        return found

    def clean_artifacts(self) -> list[str]:
        """Names of the chosen artifacts."""
        names = [artifact.name for artifact in self.cleaned_data["artifacts"]]
        if len(names) > MOST_ARTIFACTS:
            raise forms.ValidationError(f"at most {MOST_ARTIFACTS} artifacts")
        return names

    def facts(self) -> dict[str, Any]:
        """What was said, as a question keeps it; what was left open is not in it."""
        return {name: value for name, value in self.cleaned_data.items() if value not in (None, "", [], {})}

    @staticmethod
    def initial_of(facts: dict[str, Any]) -> dict[str, Any]:
        """What the fields begin with."""
        lines = [f"{name} = {value}" for name, value in (facts.get("dataset_facts") or {}).items()]
        return facts | {"dataset_facts": "\n".join(lines)[:MOST_LINES_CHARS]}


def facts_of_project(project: Project) -> dict[str, Any]:
    """What was known of a project before its work began."""
    known = {name: getattr(project, name) for name in PLAIN}
    facts = project.dataset_facts if isinstance(project.dataset_facts, dict) else {}
    plain = {name: value for name, value in facts.items() if isinstance(value, bool | int | float | str)}
    return known | {"dataset_facts": dict(list(plain.items())[:MOST_FACTS])}


def read_value(text: str) -> Any:
    """A number, a truth value or short text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    try:
        number = float(text)
    except ValueError:
        return text[:FACT_CHARS]
    if not math.isfinite(number):
        raise forms.ValidationError(f"{text[:20]} is not a number that can be used")
    return int(number) if number.is_integer() and abs(number) < 2**53 else number
