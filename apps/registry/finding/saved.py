"""The registry room: searches that somebody keeps under names: their own, which nobody else sees."""

from dataclasses import asdict
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.db import IntegrityError, transaction

from apps.registry.actions import Act
from apps.registry.finding.artifacts import Asked
from apps.registry.models import SavedSearch
from apps.registry.models.searches import SavedSearchQuerySet
from apps.tenants.access.audit.recording import record
from apps.tracking.search.saved_views import owner_of, principal_of
from maestro import limits
from maestro.errors import AlreadyExists, Conflict, Forbidden, Invalid
from maestro.principals import Actor, Principal


def searches_of(who: Principal) -> SavedSearchQuerySet:
    """The searches that somebody keeps."""
    found: SavedSearchQuerySet = SavedSearch.objects.of(owner_of(who))
    return found


def asked_of(search: SavedSearch) -> Asked:
    """What a search asks; what another version kept besides is left out."""
    return Asked(**{name: text for name, text in search.asked.items() if name in Asked.__dataclass_fields__})


def address(asked: Asked) -> str:
    """The query of the page that shows a search."""
    pairs = {"q" if name == "text" else name: text for name, text in asdict(asked).items()}
    return urlencode({name: text for name, text in pairs.items() if text})


def require_write(who: Principal) -> None:
    """Raise Forbidden for a key that is narrowed to looking, or to another room."""
    if who.scopes and not who.has_scope("registry", writes=True):
        raise Forbidden("this key is narrowed to looking", "narrowed_key")


def keep(name: str, asked: Asked, by: Actor, *, at: datetime) -> SavedSearch:
    """Keep a search. Raises Invalid, Forbidden, Conflict when there are too many, AlreadyExists for a taken name."""
    who = principal_of(by)
    require_write(who)
    told = {field: text for field, text in asdict(asked).items() if text}
    if not set(told) - {"meaning"}:
        raise Invalid("a search has words or a facet", "empty_search")
    if searches_of(who).count() >= limits.SEARCHES_SAVED:
        raise Conflict(f"you keep {limits.SEARCHES_SAVED} searches already; delete one first", "too_many_searches")
    try:
        with transaction.atomic():
            made = SavedSearch.objects.create(name=name, owner=owner_of(who), asked=told, created_at=at)
            record(by, Act.SEARCH_KEEP, subject=made, after=facts_of(made))
    except IntegrityError as error:
        raise AlreadyExists(f"you keep a search called {name!r}", "name_taken") from error
    return made


def delete(identity: str | UUID, by: Actor) -> None:
    """Forget a search. Raises NotFound for what is not there or somebody else's, Forbidden."""
    who = principal_of(by)
    require_write(who)
    with transaction.atomic():
        search = searches_of(who).select_for_update().fetch(identity)
        record(by, Act.SEARCH_DELETE, subject=search, before=facts_of(search))
        search.delete()


def facts_of(search: SavedSearch) -> dict[str, Any]:
    """Tell the log of a search."""
    return {"name": search.name, "asked": search.asked}
