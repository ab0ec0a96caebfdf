"""The tracking room: webhooks of ours: made, changed, given a new secret, paused, closed; and what they sign with."""

import base64
import secrets
import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tenants.access.sign_in.sealing import seal, unseal
from apps.tracking.actions import Act
from apps.tracking.models import Project, Telling, Webhook, WebhookSecret
from apps.tracking.models.webhooks import WebhookQuerySet
from apps.tracking.notices.events import MLFLOW_EVENTS, Happening
from apps.tracking.scoping import require_tenant_wide
from maestro import egress, limits
from maestro.errors import Conflict, Invalid, NotFound
from maestro.principals import Actor, Principal

OVERLAP_HOURS, MOST_OVERLAP_HOURS = 24, 168
LEAST_SECRET_CHARS = 16
Format, State = Webhook.Format, Webhook.State
# What changes at once, and what is written down of it.
PLAIN = ("name", "description", "events", "state")


@dataclass(frozen=True)
class NewWebhook:
    """A webhook to be made; without a project it tells of all of them. `secret` is one that the other side made."""

    name: str
    url: str
    events: Collection[str]
    format: str = Format.MAESTRO
    description: str = ""
    secret: str = ""
    state: str = State.ACTIVE


@dataclass(frozen=True)
class Issued:
    """A webhook with a secret that is shown this once; empty where nothing is signed."""

    webhook: Webhook
    secret: str


def webhooks_for(who: Principal) -> WebhookQuerySet:
    """Webhooks of the projects that somebody may see; those of all projects for who may see all."""
    found: WebhookQuerySet = Webhook.objects.select_related("project").open()
    return found.within(who.projects)


def fetch(found: WebhookQuerySet, identity: uuid.UUID) -> Webhook:
    """Fetch one of some webhooks. Raises NotFound."""
    row = found.filter(pk=identity).first()
    if row is None:
        raise NotFound("there is no such webhook", facts={"webhook": str(identity)})
    return row


def new_secret() -> str:
    """Draw a secret, in the form of Standard Webhooks."""
    return f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"


def checked_events(given: Collection[str], form: str) -> list[str]:
    """Check what a webhook is told of, and drop what comes twice. Raises Invalid."""
    known = set(MLFLOW_EVENTS) if form == Format.MLFLOW else set(Happening)
    unknown = sorted(set(given) - known)
    if unknown or not given:
        what = f"{unknown[0][:100]!r} is none" if unknown else "there are none"
        raise Invalid(f"events are some of {', '.join(sorted(known))}: {what}", "bad_events")
    return sorted(set(given))


def checked_secret(given: str, form: str) -> str:
    """Check a secret that the other side made. Raises Invalid."""
    if form == Format.MAESTRO and not is_standard(given):
        raise Invalid("a secret of Standard Webhooks is whsec_ and 24 to 64 bytes in base64", "bad_secret")
    is_plain = given.isascii() and given.isprintable()
    if not is_plain or not LEAST_SECRET_CHARS <= len(given) <= limits.HOOK_SECRET_CHARS:
        most = limits.HOOK_SECRET_CHARS
        raise Invalid(f"a secret has {LEAST_SECRET_CHARS} to {most} ASCII characters", "bad_secret")
    return given


def is_standard(secret: str) -> bool:
    """Say whether a text is a secret as Standard Webhooks writes it."""
    try:
        key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return secret.startswith("whsec_") and 24 <= len(key) <= 64


def secret_of(new: NewWebhook) -> str:
    """What is kept sealed: the address of a chat, what the other side made, or what is drawn. MLflow may have none."""
    if new.format in {Format.SLACK, Format.TEAMS}:
        if new.secret:
            raise Invalid("a chat checks no signature: its address is the secret", "bad_secret")
        return new.url
    if new.secret:
        return checked_secret(new.secret, new.format)
    return "" if new.format == Format.MLFLOW else new_secret()


def shown_url(url: str, form: str) -> str:
    """What is kept open of an address: of a chat's, its host."""
    if form not in {Format.SLACK, Format.TEAMS}:
        return url
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}/…"


def make(new: NewWebhook, project: Project | None, *, by: Actor) -> Issued:
    """Make a webhook. Raises Invalid, AddressRefused, Conflict for too many, Forbidden."""
    require(project.pk if project else None, by)
    events = checked_events(new.events, new.format)
    text = secret_of(new)
    egress.check_place(new.url)
    with transaction.atomic():
        check_room(project)
        row = Webhook.objects.create(
            project=project,
            name=new.name,
            description=new.description,
            format=new.format,
            url=shown_url(new.url, new.format),
            events=events,
            state=new.state,
            created_by=by.name[:250],
        )
        if text:
            WebhookSecret.objects.create(webhook=row, sealed_secret=seal(text))
        record(by, Act.WEBHOOK_MAKE, subject=row, after=facts_of(row))
    return Issued(row, text if row.is_signed else "")


def require(project_id: uuid.UUID | None, by: Actor) -> None:
    """Raise Forbidden unless somebody rules a project, or all of them."""
    if project_id is None:
        require_tenant_wide(by.who, "tell of all projects")
    by.require("admin", [project_id])


def check_room(project: Project | None) -> None:
    """Raise Conflict if there are too many already. Who makes another at the same time waits."""
    held = Project.objects.select_for_update().order_by("pk")
    list(held.filter(pk=project.pk) if project else held[:1])
    if Webhook.objects.open().filter(project=project).count() >= limits.WEBHOOKS:
        raise Conflict(f"there are {limits.WEBHOOKS} open webhooks already; close some first", "too_many")


def facts_of(row: Webhook) -> dict[str, Any]:
    """Tell the log of a webhook: of its address the host alone, as some put secrets into the rest."""
    return {
        "name": row.name,
        "host": urlsplit(row.url).netloc,
        "format": row.format,
        "events": row.events,
        "state": row.state,
        "project": str(row.project_id) if row.project_id else None,
    }


def hold(of: Webhook, by: Actor) -> Webhook:
    """Lock a webhook to be changed. Raises Forbidden, or Conflict for a closed one."""
    require(of.project_id, by)
    row = Webhook.objects.select_for_update().get(pk=of.pk)
    if row.state == State.CLOSED:
        raise Conflict("this webhook is closed", "closed")
    return row


def change(
    of: Webhook, facts: Mapping[str, Any], *, by: Actor, guard: Callable[[Webhook], None] | None = None
) -> Webhook:
    """Change its name, description, address, events or state. One that stopped by itself begins anew as `active`.

    `guard` is asked with the row held.

    Raises Invalid, AddressRefused, Conflict, Forbidden.
    """
    require(of.project_id, by)
    if "url" in facts:
        egress.check_place(facts["url"])
    with transaction.atomic():
        row = hold(of, by)
        if guard is not None:
            guard(row)
        before = facts_of(row)
        for name in PLAIN:
            setattr(row, name, facts.get(name, getattr(row, name)))
        row.events = checked_events(row.events, row.format)
        if "url" in facts:
            row.url = shown_url(facts["url"], row.format)
            if not row.is_signed:
                replace_secret(row, facts["url"], ends_at=None)
        if row.state == State.ACTIVE != before["state"]:
            row.reason, row.failing_since = "", None
        row.save()
        if row.state == State.PAUSED:
            give_up(row, "the webhook was paused")
        record(by, Act.WEBHOOK_CHANGE, subject=row, before=before, after=facts_of(row))
    return row


def replace_secret(row: Webhook, text: str, *, ends_at: datetime | None) -> None:
    """Put another secret in the place of the one that a webhook has, which signs on until some time, or no more."""
    held = WebhookSecret.objects.filter(webhook=row)
    held.exclude(ends_at=None).delete()
    if ends_at is None:
        held.delete()
    else:
        held.update(ends_at=ends_at)
    WebhookSecret.objects.create(webhook=row, sealed_secret=seal(text))


def rotate(of: Webhook, *, by: Actor, at: datetime, hours: float = OVERLAP_HOURS, secret: str = "") -> Issued:
    """Give a webhook a new secret; for some hours both sign. Raises Invalid, Conflict, Forbidden."""
    if not 0 <= hours <= MOST_OVERLAP_HOURS:
        raise Invalid(f"hours is a number from 0 to {MOST_OVERLAP_HOURS}", "bad_overlap")
    if not of.is_signed:
        raise Conflict("a chat's secret is its address: change that", "not_signed")
    text = checked_secret(secret, of.format) if secret else new_secret()
    with transaction.atomic():
        row = hold(of, by)
        replace_secret(row, text, ends_at=at + timedelta(hours=hours) if hours else None)
        record(by, Act.WEBHOOK_ROTATE, subject=row, after={"name": row.name, "old_secret_hours": hours})
    return Issued(row, text)


def close(of: Webhook, *, by: Actor) -> None:
    """Tell it nothing more. Its secrets go at once, its log when it is old. Raises Forbidden."""
    require(of.project_id, by)
    with transaction.atomic():
        row = Webhook.objects.select_for_update().get(pk=of.pk)
        if row.state == State.CLOSED:
            return
        before = facts_of(row)
        row.state = State.CLOSED
        row.save(update_fields=["state", "updated_at"])
        WebhookSecret.objects.filter(webhook=row).delete()
        give_up(row, "the webhook was closed")
        record(by, Act.WEBHOOK_CLOSE, subject=row, before=before)


def give_up(row: Webhook, reason: str) -> None:
    """End what waits to be told to a webhook; it may be replayed while that is kept."""
    waiting = Telling.objects.filter(webhook=row, state=Telling.State.WAITING)
    waiting.update(state=Telling.State.FAILED, reason=reason, ended_at=row.updated_at)


def stop(row: Webhook, reason: str, *, at: datetime) -> None:
    """Stop a webhook that fails, within its transaction, and say so: on its page and in the log."""
    row.state, row.reason, row.updated_at = State.FAILED, reason[:500], at
    row.save(update_fields=["state", "reason", "updated_at"])
    give_up(row, "the webhook was stopped: " + reason[:400])
    record(Actor("task:notices"), Act.WEBHOOK_STOP, subject=row, after=facts_of(row) | {"reason": row.reason})


def replay(of: Webhook, telling: uuid.UUID, *, by: Actor, at: datetime) -> None:
    """Send something once more, under the same id. Raises NotFound, Conflict, Forbidden."""
    with transaction.atomic():
        row = hold(of, by)
        if row.state != State.ACTIVE:
            raise Conflict(f"this webhook is {row.state}; make it active first", "not_active")
        found = Telling.objects.filter(webhook=row, pk=telling).exclude(state=Telling.State.WAITING)
        if not found.update(state=Telling.State.WAITING, tries=0, next_at=at, reason="", ended_at=None):
            raise NotFound("there is no such delivery that has ended")
        record(by, Act.WEBHOOK_REPLAY, subject=row, after={"name": row.name, "delivery": str(telling)})


def secrets_of(row: Webhook, at: datetime) -> list[str]:
    """What it signs with at a time, the newest first; of a chat, its address."""
    return [unseal(bytes(one.sealed_secret)) for one in WebhookSecret.objects.filter(webhook=row).valid(at)]
