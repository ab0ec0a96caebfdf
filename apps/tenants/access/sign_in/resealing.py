"""The access room: moving sealed secrets from an old secret of the server to today's, and counting what still waits."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from django.apps import apps
from django.conf import settings
from django.db import models, transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.factors.models import Authenticator, RecoveryCode
from apps.tenants.access.models import ApiKey
from apps.tenants.access.sign_in.sealing import reseal
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.errors import Unavailable
from maestro.principals import Actor

BATCH = 200


@dataclass
class Resealed:
    """What a schema holds by old secrets: moved (or to be moved), not readable by any, and waiting to be used."""

    secrets: int = 0
    unreadable: int = 0
    keys_waiting: int = 0
    codes_waiting: int = 0

    def add(self, other: "Resealed") -> None:
        """Count another schema's in."""
        for name in vars(self):
            setattr(self, name, getattr(self, name) + getattr(other, name))


def holders() -> list[type[models.Model]]:
    """List whose rows hold a sealed secret here: of every room; operators have their second factors only."""
    if connection.schema_name == PUBLIC:
        return [Authenticator]
    labels = [label.rpartition(".")[2] for label in settings.TENANT_APPS]
    models_here = [model for label in labels for model in apps.get_app_config(label).get_models()]
    return [model for model in models_here if any(f.name == "sealed_secret" for f in model._meta.concrete_fields)]


def reseal_all(by: Actor, at: datetime, *, dry_run: bool) -> Resealed:
    """Move every sealed secret of the schema where this stands, some at a time, each time with an event."""
    done = Resealed(codes_waiting=RecoveryCode.objects.waiting_for_old_pepper().count())
    if connection.schema_name != PUBLIC:
        done.keys_waiting = ApiKey.objects.waiting_for_old_pepper(at).count()
    for model in holders():
        for keys in batches(model):
            with transaction.atomic():
                moved = reseal_some(model, keys, done, dry_run=dry_run)
                if moved and not dry_run:
                    told = {"rows": moved, "by": "today's secret of the server"}
                    record(by, Act.SECRETS_RESEAL, object_type=model.__name__, object_id="*", after=told)
    return done


def batches(model: type[models.Model]) -> Iterator[list[int]]:
    """List rows by their keys, some at a time."""
    keys = list(model._default_manager.exclude(sealed_secret=b"").order_by("pk").values_list("pk", flat=True))
    return (keys[start : start + BATCH] for start in range(0, len(keys), BATCH))


def reseal_some(model: type[models.Model], keys: list[int], done: Resealed, *, dry_run: bool) -> int:
    """Move some rows' secrets, each held while it is. Returns how many."""
    moved = 0
    for row in model._default_manager.select_for_update().filter(pk__in=keys).order_by("pk"):
        try:
            fresh = reseal(bytes(row.sealed_secret))  # type: ignore[attr-defined]
        except Unavailable:
            done.unreadable += 1
            continue
        if fresh is not None:
            moved += 1
            if not dry_run:
                model._default_manager.filter(pk=row.pk).update(sealed_secret=fresh)
    done.secrets += moved
    return moved
