"""The access room: erasing a person: their account becomes a pseudonym, and so does their name wherever a row tells it.

What stays: the audit log, which nobody rewrites; it forgets by its retention. What people wrote themselves, in names,
tags, notes and files, is theirs to change. The account stays as a closed one, so that a team's counts go on.

Source  SECURITY requirement R31
"""

import json
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import datetime

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from django.db import models, transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.closing import end_access
from apps.tenants.access.models import OidcLink, ProjectRole, RefreshToken
from apps.tenants.access.sign_in import second_factor
from maestro.principals import Actor

# What rooms above keep of people beside their names in columns: each is told how somebody is spelled, and says what went.
Forgetter = Callable[[Sequence[str]], dict[str, int]]
FORGETTERS: list[Forgetter] = []
OWNERS = ("owner", "owner_name", "user_name")


def offer(forget: Forgetter) -> None:
    """Let a room above forget what it keeps of somebody who is erased."""
    FORGETTERS.append(forget)


def naming_columns() -> Iterator[tuple[type[models.Model], str]]:
    """Find each column of a tenant's tables in which the server notes who did something; the audit log is not one."""
    for label in settings.TENANT_APPS:
        for model in apps.get_app_config(label.rpartition(".")[2]).get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, models.CharField) and (field.name.endswith("_by") or field.name in OWNERS):
                    yield model, field.name


def traces_of(person: User) -> dict[str, int]:
    """Count the rows that tell a person's name, by table and column."""
    found = {
        f"{model._meta.db_table}.{name}": model._base_manager.filter(**{f"{name}__in": names_of(person)}).count()
        for model, name in naming_columns()
    }
    return {place: count for place, count in found.items() if count}


def names_of(person: User) -> list[str]:
    """How rows tell a person's name."""
    return [person.get_username(), f"person:{person.get_username()}"]


def erase(person: User, by: Actor, at: datetime, heir: User | None = None) -> dict[str, object]:
    """Close an account and put a pseudonym wherever its name stands. Their keys end, or go to an heir.

    Returns the pseudonym and what was changed.
    """
    alias = f"erased-{uuid.uuid4().hex[:12]}"
    with transaction.atomic():
        ended = end_access(person, by, at=at, heir=heir)
        changed = traces_of(person)
        plain, told = names_of(person)
        for model, name in naming_columns():
            rows = model._base_manager
            rows.filter(**{name: plain}).update(**{name: alias})
            rows.filter(**{name: told}).update(**{name: f"person:{alias}"})
        spellings = [text for text in (plain, person.email) if text]
        for forget in FORGETTERS:
            changed |= forget(spellings)
        leave_nameless(person, alias)
        after = {"username": alias, "rows": sum(changed.values()), **asdict(ended)}
        record(by, Act.PERSON_ERASE, subject=person, after=after)
    return {"pseudonym": alias, "rows": changed, **asdict(ended)}


def leave_nameless(person: User, alias: str) -> None:
    """Take away what joins the account to somebody, and leave it closed and without a name."""
    for model in (RefreshToken, OidcLink, ProjectRole):
        model._default_manager.filter(user=person).delete()
    second_factor.remove(person)
    kind = ContentType.objects.get_for_model(User)
    LogEntry.objects.filter(content_type=kind, object_id=str(person.pk)).update(object_repr=alias, change_message="")
    name = person.get_username()
    # Entries about other things tell it in passing ("added member ada"); their words are JSON, with its escapes.
    told = models.Q(object_repr__contains=name)
    for spelling in {name, json.dumps(name)[1:-1]}:
        told |= models.Q(change_message__contains=spelling)
    LogEntry.objects.filter(told).update(object_repr="[erased]", change_message="")
    person.groups.clear()
    person.user_permissions.clear()
    person.username, person.email, person.first_name, person.last_name = alias, "", "", ""
    person.is_active = person.is_staff = person.is_superuser = False
    person.set_unusable_password()
    person.save()
