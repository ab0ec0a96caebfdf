"""The recommendations room: who works on a training. One at a time, taken over soon after a worker dies.

A worker holds a lease in the training's row and renews it while it works. All times are the database's, so
that a worker with a wrong clock harms nobody. Results are written in a transaction that holds the row and
checks the lease first (`holding`), so a worker that lost its lease writes nothing.
"""

import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db import Error, IntegrityError, connection, transaction
from django.db.models import F, Q
from django.db.models.functions import Now
from django_tenants.utils import tenant_context

from apps.recommendations.actions import Act
from apps.recommendations.models import Training
from apps.tenants.access.audit.recording import record
from apps.tenants.models import Tenant
from maestro.errors import Conflict
from maestro.principals import Actor

LEASE = timedelta(seconds=60)
BEAT_SECONDS = 10.0
MOST_TRIES = 3
SENT = timedelta(seconds=60)


class LeaseLost(Conflict):
    """Another worker took the training over, or it was ended."""

    code = "lease_lost"


def ask(*, why: str, asked_by: str = "", force: bool = False, seed: int = 0) -> tuple[Training, bool]:
    """Ask for a training. While one is open that one is returned: two would read the same rows."""
    for _ in range(3):
        found = Training.objects.open().first()
        if found is not None:
            return found, False
        try:
            with transaction.atomic():
                made = Training.objects.create(why=why, asked_by=asked_by[:250], force=force, seed=seed)
        except IntegrityError:
            # Somebody asked at the same moment; theirs is found in the next round, unless it has just ended.
            continue
        return made, True
    raise Conflict("trainings begin and end too fast; try again")


def ask_as(by: Actor, *, force: bool = False, seed: int = 0) -> tuple[Training, bool]:
    """Ask for a training as somebody, who stands in it and in the audit log; one that is open already is joined."""
    with transaction.atomic():
        training, is_new = ask(why="asked", asked_by=by.name, force=force, seed=seed)
        if is_new:
            after = {"why": training.why, "force": force, "seed": seed}
            record(by, Act.TRAINING_ASK, subject=training, after=after)
    return training, is_new


def take(training_id: uuid.UUID, owner: str) -> Training | None:
    """Take a training that nobody works on. None if somebody does, or it is over, or it was tried too often."""
    free = Q(lease_until=None) | Q(lease_until__lt=Now())
    wanted = Training.objects.open().filter(free, pk=training_id, tries__lt=MOST_TRIES)
    taken = wanted.update(
        state=Training.State.RUNNING,
        lease_owner=owner,
        lease_until=Now() + LEASE,
        tries=F("tries") + 1,
        started_at=Now(),
        percent=0,
        step="reading",
    )
    return Training.objects.get(pk=training_id) if taken else None


def renew(training_id: uuid.UUID, owner: str) -> bool:
    """Hold the lease for another while. False if it is lost."""
    mine = Training.objects.filter(pk=training_id, lease_owner=owner, state=Training.State.RUNNING)
    return bool(mine.update(lease_until=Now() + LEASE))


def report(training_id: uuid.UUID, owner: str, *, percent: int, step: str) -> None:
    """Say how far it is. Raises LeaseLost."""
    mine = Training.objects.filter(pk=training_id, lease_owner=owner, state=Training.State.RUNNING)
    if not mine.update(percent=max(0, min(99, percent)), step=step[:200], lease_until=Now() + LEASE):
        raise LeaseLost("this training belongs to another worker now")


def give_back(training_id: uuid.UUID, owner: str) -> None:
    """Let another worker try at once."""
    Training.objects.open().filter(pk=training_id, lease_owner=owner).update(lease_until=None, lease_owner="")


def fail(training_id: uuid.UUID, reason: str, *, owner: str = "") -> bool:
    """End a training without a result. With an owner, only if the lease is theirs."""
    wanted = Training.objects.open().filter(pk=training_id)
    if owner:
        wanted = wanted.filter(lease_owner=owner)
    return bool(
        wanted.update(
            state=Training.State.FAILED, reason=reason[:2000], ended_at=Now(), lease_owner="", lease_until=None, step=""
        )
    )


def abandoned() -> list[uuid.UUID]:
    """List trainings that wait for a worker: long sent and never taken, or their worker died. Three deaths fail one."""
    free = Training.objects.open().filter(Q(lease_until=None) | Q(lease_until__lt=Now()))
    for training in free.filter(tries__gte=MOST_TRIES):
        fail(training.pk, f"{MOST_TRIES} tries ended without a result; the worker was killed or crashed each time")
    sent = Q(tries=0, created_at__gt=Now() - SENT)
    return list(free.filter(tries__lt=MOST_TRIES).exclude(sent).values_list("pk", flat=True))


@contextmanager
def holding(training_id: uuid.UUID, owner: str) -> Iterator[Training]:
    """Write results: one transaction that holds the row. Raises LeaseLost before anything is written."""
    with transaction.atomic():
        mine = Training.objects.select_for_update().filter(pk=training_id, lease_owner=owner)
        training = mine.filter(state=Training.State.RUNNING).first()
        if training is None:
            raise LeaseLost("this training belongs to another worker now")
        yield training


@contextmanager
def heartbeat(tenant: Tenant, training_id: uuid.UUID, owner: str, *, on_loss: Callable[[], None]) -> Iterator[None]:
    """Renew the lease from a thread of its own, over its own connection, until the block ends."""
    ended = threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            try:
                with tenant_context(tenant):
                    kept = renew(training_id, owner)
            except Error:
                # The database is away for a moment; the lease outlives several beats.
                connection.close()
                continue
            if not kept and not ended.is_set():
                on_loss()
                return
        connection.close()

    thread = threading.Thread(target=beat, name="lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(BEAT_SECONDS)
