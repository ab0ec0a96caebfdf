"""The tracking room: connections to forges: made, given a new secret, closed, and found by the address they deliver to."""

import base64
import secrets
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tenants.routing import this_tenant
from apps.tracking.actions import Act
from apps.tracking.models import Connection, ConnectionSecret, Delivery, Project
from apps.tracking.models.connections import ConnectionQuerySet
from maestro import limits
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.errors import Conflict, Invalid, NotFound
from maestro.principals import Actor, Principal

LEAST_SECRET_CHARS = 16
OVERLAP_HOURS, MOST_OVERLAP_HOURS = 24, 168


@dataclass(frozen=True)
class Issued:
    """A connection with a secret that is shown this once."""

    connection: Connection
    secret: str


def connections_for(who: Principal) -> ConnectionQuerySet:
    """Connections of the projects that somebody may see."""
    found: ConnectionQuerySet = Connection.objects.select_related("project")
    return found if who.projects is None else found.filter(project_id__in=who.projects)


def fetch(found: ConnectionQuerySet, identity: uuid.UUID) -> Connection:
    """Fetch one of some connections. Raises NotFound."""
    row = found.filter(pk=identity).first()
    if row is None:
        raise NotFound("there is no such connection")
    return row


def at_address(address: str) -> Connection:
    """Find the open connection that an address belongs to. Raises NotFound, in the same words whatever is missing."""
    row = None
    if connection.schema_name != PUBLIC and len(address) <= 120:
        row = Connection.objects.open().of_forges().filter(address=address).first()
    if row is None:
        raise NotFound("there is no such connection")
    return row


def valid_secrets(of: Connection, at: datetime) -> list[str]:
    """The texts that a delivery may be signed with at a time."""
    return [unseal(bytes(row.sealed_secret)) for row in ConnectionSecret.objects.filter(connection=of).valid(at)]


def new_secret(kind: str) -> str:
    """Draw a secret. GitLab's is in the form of its signing tokens, and serves as a plain token as well."""
    if kind == Connection.Kind.GITLAB:
        return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    return secrets.token_urlsafe(32)


def checked(given: str) -> str:
    """Check a secret that a forge has made itself. Raises Invalid."""
    is_plain = given.isascii() and given.isprintable() and " " not in given
    if not is_plain or not LEAST_SECRET_CHARS <= len(given) <= limits.HOOK_SECRET_CHARS:
        most = limits.HOOK_SECRET_CHARS
        raise Invalid(f"a secret has {LEAST_SECRET_CHARS} to {most} visible ASCII characters", "bad_secret")
    return given


def make(project: Project, kind: str, name: str, *, by: Actor, secret: str = "") -> Issued:
    """Connect a project to a forge. Raises Invalid for a bad secret, Conflict for too many connections, Forbidden."""
    by.require("admin", [project.pk])
    text = checked(secret) if secret else new_secret(kind)
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        if Connection.objects.open().filter(project=project).count() >= limits.CONNECTIONS:
            raise Conflict(f"a project has at most {limits.CONNECTIONS} open connections; close some first", "too_many")
        address = f"mhk_{this_tenant().slug}_{secrets.token_urlsafe(32)}"
        row = Connection.objects.create(project=project, kind=kind, name=name, address=address, created_by=by.name)
        ConnectionSecret.objects.create(connection=row, sealed_secret=seal(text))
        record(by, Act.CONNECTION_MAKE, subject=row, after={"name": name, "kind": kind, "project": str(project.pk)})
    return Issued(row, text)


def make_git(project: Project, *, by: Actor) -> Connection:
    """The project's connection of kind git, which tells commits alone; made if there is none. Who may tell runs may tell these.

    Raises Forbidden.
    """
    by.require("contributor", [project.pk])
    with transaction.atomic():
        Project.objects.select_for_update().get(pk=project.pk)
        held = Connection.objects.open().filter(project=project, kind=Connection.Kind.GIT).first()
        if held is not None:
            return held
        address = f"mhk_{this_tenant().slug}_{secrets.token_urlsafe(32)}"
        facts = {"project": project, "kind": Connection.Kind.GIT, "name": "git", "address": address}
        row: Connection = Connection.objects.create(**facts, created_by=by.name)
        record(by, Act.CONNECTION_MAKE, subject=row, after={"name": "git", "kind": "git", "project": str(project.pk)})
    return row


def rotate(of: Connection, *, by: Actor, at: datetime, hours: float = OVERLAP_HOURS, secret: str = "") -> Issued:
    """Give a connection a new secret; the one it had signs on for some hours, and one from before that no more.

    Raises Invalid, Conflict for a closed connection, Forbidden.
    """
    by.require("admin", [of.project_id])
    if not 0 <= hours <= MOST_OVERLAP_HOURS:
        raise Invalid(f"hours is a number from 0 to {MOST_OVERLAP_HOURS}", "bad_overlap")
    text = checked(secret) if secret else new_secret(of.kind)
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=of.pk)
        if row.closed_at is not None:
            raise Conflict("this connection is closed", "closed")
        held = ConnectionSecret.objects.filter(connection=row)
        held.exclude(ends_at=None).delete()
        held.update(ends_at=at + timedelta(hours=hours))
        ConnectionSecret.objects.create(connection=row, sealed_secret=seal(text))
        record(by, Act.CONNECTION_ROTATE, subject=row, after={"name": row.name, "old_secret_hours": hours})
    return Issued(row, text)


def close(of: Connection, *, by: Actor, at: datetime) -> None:
    """Take no more deliveries. What was told stays measured; secrets and bodies as they came go at once. Raises Forbidden."""
    by.require("admin", [of.project_id])
    with transaction.atomic():
        row = Connection.objects.select_for_update().get(pk=of.pk)
        if row.closed_at is not None:
            return
        row.closed_at = at
        row.save(update_fields=["closed_at"])
        ConnectionSecret.objects.filter(connection=row).delete()
        gone = Delivery.objects.filter(connection=row).exclude(state=Delivery.State.WAITING).delete()[0]
        record(by, Act.CONNECTION_CLOSE, subject=row, before={"name": row.name}, after={"deliveries_deleted": gone})


def replay(of: Connection, deliveries: Iterable[uuid.UUID], *, by: Actor) -> int:
    """Have kept deliveries read once more, which changes nothing unless they are understood otherwise now.

    Returns how many. Raises NotFound if none of them is there, Forbidden.
    """
    by.require("admin", [of.project_id])
    with transaction.atomic():
        found = Delivery.objects.filter(connection=of, pk__in=list(deliveries)).exclude(state=Delivery.State.WAITING)
        names = list(found.order_by("id").values_list("name", flat=True)[:20])
        count = found.update(state=Delivery.State.WAITING, reason="", tries=0, read_at=None)
        if not count:
            raise NotFound("there is no such delivery that was read")
        record(by, Act.DELIVERY_REPLAY, subject=of, after={"deliveries": count, "names": names})
    return count
