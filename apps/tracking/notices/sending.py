"""The tracking room: what happened is given to the webhooks that listen, and sent: again and again for about a day."""

import time
from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, QuerySet
from django.db.models.functions import Now

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import Notice, Telling, Webhook
from apps.tracking.notices import shapes, signing, webhooks
from apps.tracking.notices.events import TEST
from maestro import egress, limits
from maestro.clock import uuid7
from maestro.egress import AddressRefused, NoAnswer
from maestro.errors import Unavailable
from maestro.principals import Actor

AT_ONCE: Final = 500
# Before the second try, the third and so on: 23 hours and 21 minutes in all.
MINUTES: Final = (1, 5, 15, 60, 180, 420, 720)
REST: Final = timedelta(minutes=1)
LEASE: Final = timedelta(minutes=2)
WEEK: Final = timedelta(days=7)
GONE: Final = 410
TOO_MUCH: Final = "too much waits for this webhook already"
State = Telling.State


@dataclass(frozen=True)
class Tried:
    """What a test was answered; a status of 0 is no answer."""

    arrived: bool
    status: int
    reason: str


def is_due() -> bool:
    """Say whether something happened that nobody was given yet, or may be sent now."""
    waits = Telling.objects.filter(state=State.WAITING, next_at__lte=Now())
    return Notice.objects.unspread().exists() or waits.exists()


def spread(at: datetime) -> int:
    """Give what happened to every webhook that listens for it. Returns how many tellings that are."""
    count = 0
    while True:
        with transaction.atomic():
            some = list(Notice.objects.unspread().select_for_update(skip_locked=True)[:AT_ONCE])
            count += give(some, at)
            Notice.objects.filter(pk__in=[one.pk for one in some]).update(is_spread=True)
        if len(some) < AT_ONCE:
            return count


def give(notices: list[Notice], at: datetime) -> int:
    """Write the tellings of some notices. Of a webhook for which too much waits they are failed at once, and can be replayed."""
    listening = list(Webhook.objects.filter(state=Webhook.State.ACTIVE)) if notices else []
    held = Telling.objects.filter(webhook__in=listening, state=State.WAITING).values_list("webhook")
    waiting = Counter(dict(held.annotate(n=Count("id"))))
    rows = []
    for notice in notices:
        for webhook in listening:
            if listens(webhook, notice):
                waiting[webhook.pk] += 1
                rows.append(telling_of(webhook, notice, at, is_bound=waiting[webhook.pk] > limits.TELLINGS_WAITING))
    Telling.objects.bulk_create(rows, ignore_conflicts=True, batch_size=AT_ONCE)
    return len(rows)


def listens(webhook: Webhook, notice: Notice) -> bool:
    """Say whether a webhook is told of something: chosen, and within its project."""
    is_near = webhook.project_id is None or webhook.project_id == notice.project_id
    return is_near and (notice.event in webhook.events or notice.mlflow_event in webhook.events)


def telling_of(webhook: Webhook, notice: Notice, at: datetime, *, is_bound: bool) -> Telling:
    """A telling to be sent now."""
    row = Telling(webhook=webhook, notice=notice, next_at=at, created_at=at)
    if is_bound:
        row.state, row.reason, row.ended_at = State.FAILED, TOO_MUCH, at
    return row


def due(at: datetime) -> QuerySet[Telling]:
    """What may be sent now."""
    return Telling.objects.due(at)


def send(identity: UUID, at: datetime) -> str:
    """Send one, once, and write down what became of it. Says what that is."""
    row = take(identity, at)
    if row is None:
        return "nothing is due"
    begun = time.monotonic()
    row.status, row.reason = post(row.webhook, row.notice, row.pk, at)
    row.duration_ms = int((time.monotonic() - begun) * 1000)
    finish(row, at)
    return str(row.state)


def take(identity: UUID, at: datetime) -> Telling | None:
    """Take one to be sent by nobody else for some minutes: should this process end, it is tried again then."""
    if not Telling.objects.due(at).filter(pk=identity).update(tries=F("tries") + 1, next_at=at + LEASE):
        return None
    return Telling.objects.select_related("webhook", "notice__project").get(pk=identity)


def post(webhook: Webhook, notice: Notice, identity: UUID, at: datetime) -> tuple[int, str]:
    """Send something to a webhook. Returns the status of the answer, 0 for none, and what went wrong."""
    try:
        secrets = webhooks.secrets_of(webhook, at)
        url = webhook.url if webhook.is_signed else secrets[0]
        body = shapes.body_of(webhook, notice)
        status = egress.post(url, body, signing.headers(webhook.format, secrets, f"msg_{identity.hex}", body, at))
    except (AddressRefused, NoAnswer, Unavailable) as error:
        return 0, error.detail[:500]
    if 200 <= status < 300:
        return status, ""
    return status, "redirects are not followed" if 300 <= status < 400 else f"the answer was {status}"


def finish(row: Telling, at: datetime) -> None:
    """Write what became of a try, and what that says of the webhook."""
    with transaction.atomic():
        webhook = Webhook.objects.select_for_update().get(pk=row.webhook_id)
        if not row.reason:
            row.state, row.ended_at = State.ARRIVED, at
        elif webhook.state != Webhook.State.ACTIVE or row.tries > len(MINUTES):
            row.state, row.ended_at = State.FAILED, at
        else:
            row.next_at = at + timedelta(minutes=MINUTES[row.tries - 1])
        row.save(update_fields=["state", "status", "duration_ms", "reason", "next_at", "ended_at"])
        note(webhook, row, at)


def note(webhook: Webhook, row: Telling, at: datetime) -> None:
    """Let a webhook rest that fails, and stop it after a week of that, or at once if the other side says that it is gone."""
    if not row.reason:
        if webhook.failing_since is not None:
            Webhook.objects.filter(pk=webhook.pk).update(failing_since=None)
        return
    if webhook.state != Webhook.State.ACTIVE:
        return
    since = webhook.failing_since or at
    if row.status == GONE:
        webhooks.stop(webhook, "the other side says that this address is gone (410)", at=at)
    elif at - since >= WEEK:
        webhooks.stop(webhook, f"nothing has arrived for a week; the last time: {row.reason}", at=at)
    else:
        Webhook.objects.filter(pk=webhook.pk).update(failing_since=since)
        resting = Telling.objects.filter(webhook=webhook, state=State.WAITING, next_at__lt=at + REST)
        resting.update(next_at=at + REST)


def try_out(of: Webhook, *, by: Actor, at: datetime, event: str = "") -> Tried:
    """Send a test, now and once, as of an event. Of the answer its status is told, and nothing of what it says.

    Doors count how often that is done. Raises Conflict for a closed one, Forbidden.
    """
    with transaction.atomic():
        row = webhooks.hold(of, by)
        record(by, Act.WEBHOOK_TEST, subject=row, after={"name": row.name})
    example = Notice(
        event=TEST, mlflow_event=event or row.events[0], project=row.project, at=at, data={"webhook": row.name}
    )
    status, reason = post(row, example, uuid7(), at)
    return Tried(not reason, status, reason)


def forget_old(at: datetime) -> int:
    """Delete what happened long ago, with what became of telling it."""
    old = Notice.objects.filter(at__lt=at - timedelta(days=limits.NOTICE_DAYS))
    gone = 0
    while some := list(old.order_by("at").values_list("pk", flat=True)[:AT_ONCE]):
        gone += Notice.objects.filter(pk__in=some).delete()[0]
    return gone
