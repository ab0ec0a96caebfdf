"""The registry room's MLflow door: what its calls share."""

from typing import Any

from django.http import HttpRequest

from apps.registry.models import Artifact
from apps.registry.scoping import artifacts_for, require_own
from apps.registry.searching import Page
from apps.tracking.models import Experiment, Run
from apps.tracking.scoping import experiments_for, runs_for
from maestro import limits
from maestro.api.auth import asking, reading_and_writing
from maestro.errors import NotFound
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.mlflow.views import MlflowView

TAGS_MAX = 500


class RegistryView(MlflowView):
    """One call on the registry: viewers look, contributors write."""

    required_role = reading_and_writing()

    def model(self, request: HttpRequest, fields: dict[str, Any]) -> Artifact:
        """Fetch the registered model that a call names. Raises NotFound."""
        name = read.text(fields, "name", limits.TEXT_CHARS)
        seen = artifacts_for(asking(request)).filter(kind=Artifact.Kind.MODEL)
        found: Artifact | None = seen.prefetch_related("tags", "aliases__version").filter(name=name).first()
        if found is None:
            raise NotFound(f"Registered Model with name={name[:250]} not found")
        return found

    def own_model(self, request: HttpRequest, fields: dict[str, Any]) -> Artifact:
        """Fetch a registered model to be changed. Raises NotFound or Forbidden."""
        found = self.model(request, fields)
        require_own(asking(request), found)
        return found


def read_tags(fields: dict[str, Any], most_chars: int, most: int = TAGS_MAX) -> dict[str, str]:
    """Read a list of notes; of one key twice the last wins."""
    found = {}
    for index, row in enumerate(read.rows(fields, "tags", most)):
        key, value = read_tag(row, most_chars, f"tags[{index}].")
        found[key] = value
    return found


def read_tag(row: dict[str, Any], most_chars: int, place: str = "") -> tuple[str, str]:
    """Read one note."""
    key = read.as_text(row.get("key"), f"{place}key", limits.KEY_CHARS)
    if not key:
        raise read.missing(f"{place}key")
    return key, read.as_text(row.get("value", ""), f"{place}value", most_chars)


def find_run(request: HttpRequest, identity: str) -> Run:
    """Fetch a run by id. Raises NotFound."""
    run: Run = runs_for(asking(request)).select_related("experiment").fetch(identity)
    return run


def find_experiment(request: HttpRequest, value: Any) -> Experiment:
    """Fetch an experiment by number, given as text or number. Raises NotFound."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NotFound(f"No Experiment with id={str(value)[:64]} exists")
    experiment: Experiment = experiments_for(asking(request)).select_related("project").fetch(int(text))
    return experiment


def offset_of(fields: dict[str, Any], purpose: str) -> int:
    """Read how many rows a page token skips."""
    values = paging.read_token(fields, purpose)
    if values is None:
        return 0
    if len(values) != 1 or not isinstance(values[0], int):
        raise read.refuse("page_token", fields.get("page_token"), "it is not a token of this list")
    return values[0]


def with_token(answer: dict[str, Any], page: Page, *, offset: int, purpose: str) -> dict[str, Any]:
    """Add the token of the next page, if there is one; leave empty lists out."""
    shown = {name: value for name, value in answer.items() if value}
    if page.has_more:
        shown["next_page_token"] = paging.write_token([offset + len(page.rows)], purpose)
    return shown
