"""The tracking room: reading what was delivered, one after the other; a bad one is noted and holds nobody up."""

import zlib
from datetime import datetime

from django.db import DataError, transaction

from apps.tracking.delivery import facts, github, gitlab
from apps.tracking.delivery.github import Reader
from apps.tracking.delivery.payloads import document
from apps.tracking.models import Connection, Delivery
from apps.tracking.models.connections import MOST_TRIES
from maestro.database.session import connection
from maestro.errors import MaestroError

READERS: dict[str, dict[str, Reader]] = {
    Connection.Kind.GITHUB: github.READERS,
    Connection.Kind.GITLAB: gitlab.READERS,
    Connection.Kind.GITEA: github.GITEA_READERS,
}
State = Delivery.State
DEADLY = "whoever read it did not come to an end, three times"
# One reader a tenant: how often something was tried is then its own doing.
ALONE = "SELECT pg_try_advisory_lock(hashtext(current_schema() || '.deliveries'))"
TOGETHER = "SELECT pg_advisory_unlock(hashtext(current_schema() || '.deliveries'))"


def is_due() -> bool:
    """Say whether a delivery waits."""
    return Delivery.objects.waiting().exists()


def read_waiting(at: datetime, most: int) -> int:
    """Read what waits, at most so many. Returns how many; none while another reader is at work."""
    with connection.cursor() as cursor:
        cursor.execute(ALONE)
        if not cursor.fetchone()[0]:
            return 0
        try:
            count = 0
            while count < most and (row := begin_next()):
                finish(row, at)
                count += 1
            return count
        finally:
            cursor.execute(TOGETHER)


def begin_next() -> Delivery | None:
    """Note that the next one is tried, before anything is done that might end the worker."""
    row = Delivery.objects.waiting().select_related("connection").first()
    if row is not None:
        row.tries += 1
        Delivery.objects.filter(pk=row.pk).update(tries=row.tries)
    return row


def finish(row: Delivery, at: datetime) -> None:
    """Read one: its facts and what became of it are written together."""
    state, reason = str(State.FAILED), DEADLY
    if row.tries <= MOST_TRIES:
        try:
            with transaction.atomic():
                state, reason = read(row), ""
        except (MaestroError, DataError) as error:
            reason = getattr(error, "detail", "a value that can't be stored")[:500]
    Delivery.objects.filter(pk=row.pk).update(state=state, reason=reason, read_at=at)


def read(row: Delivery) -> str:
    """Write down what a delivery tells. Raises NotUnderstood, or what the bounds of a document say."""
    reader = READERS[row.connection.kind].get(row.event)
    if reader is None:
        return State.UNKNOWN
    payload = document(row.connection, zlib.decompress(bytes(row.body)))
    facts.write(row.connection, reader(payload))
    return State.READ
