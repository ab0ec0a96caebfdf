"""The registry room's MLflow door: what its calls share."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

from django.http import HttpRequest

from apps.registry.mlflow.wording import WORDS
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.scoping import artifacts_for, require_own
from apps.registry.search.lists import REGISTERED, Asked
from apps.registry.search.pages import Page
from apps.tracking.models import Experiment, Run
from apps.tracking.scoping import experiments_for, runs_for
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.errors import Invalid, NotFound
from maestro.mlflow import fields as read
from maestro.mlflow import paging
from maestro.mlflow.views import MlflowView

TAGS_MAX = 500
Question = TypeVar("Question", bound=Asked)


class RegistryView(MlflowView):
    """One call on the registry: viewers look, contributors write."""

    required_role = reading_and_writing()
    words: ClassVar[dict[tuple[str, ...], str]] = WORDS

    def model(self, request: HttpRequest, fields: dict[str, Any]) -> Artifact:
        """Fetch the registered model that a call names. Raises NotFound."""
        name = read.text(fields, "name", limits.TEXT_CHARS)
        seen = artifacts_for(asking(request)).filter(kind__in=REGISTERED)
        found: Artifact | None = seen.prefetch_related("tags", "aliases__version").filter(name=name).first()
        if found is None:
            raise NotFound(f"Registered Model with name={name[:250]} not found")
        return found

    def own_model(self, request: HttpRequest, fields: dict[str, Any]) -> Artifact:
        """Fetch a registered model to be changed. Raises NotFound or Forbidden."""
        found = self.model(request, fields)
        require_own(asking(request), found)
        return found


def version_of(artifact: Artifact, number: str) -> ArtifactVersion:
    """Fetch a version by number. Raises Invalid for what is no number, NotFound."""
    if not number.isascii() or not number.isdecimal() or len(number) > 9:
        raise Invalid(f"Parameter 'version' must be an integer, got {number[:60]!r}.", "bad_version")
    found = ArtifactVersion.objects.for_page().filter(artifact=artifact, number=int(number)).first()
    if found is None:
        raise NotFound(f"Model Version (name={artifact.name}, version={number}) not found")
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


def run_or_none(request: HttpRequest, identity: str) -> Run | None:
    """Fetch the run that a registration names; one of another server, or out of reach, is text to us and no more."""
    try:
        return find_run(request, identity) if identity else None
    except NotFound:
        return None


def find_experiment(request: HttpRequest, value: Any) -> Experiment:
    """Fetch an experiment by number, given as text or number. Raises NotFound."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise NotFound(f"No Experiment with id={str(value)[:64]} exists")
    experiment: Experiment = experiments_for(asking(request)).select_related("project").fetch(int(text))
    return experiment


def searched(
    fields: dict[str, Any], asked: Question, purpose: str, search: Callable[[Question], Page]
) -> tuple[Page, dict[str, str]]:
    """Search the page that a call's token names; return it and the token of the next one, if there is one.

    A token is good for the search that it came from: the same list with the same filter and order.
    """
    name = f"{purpose}:{hashlib.sha256(repr(replace(asked, most=0)).encode()).hexdigest()}"
    page = search(replace(asked, after=paging.read_token(fields, name)))
    if page.following is None:
        return page, {}
    return page, {"next_page_token": paging.write_token(page.following, name)}
