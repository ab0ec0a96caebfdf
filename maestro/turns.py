"""The floor: taking turns. Of each kind of work a tenant has one message on its way; what else waits, waits in its own rows.

A message says "do the next of this tenant". When that is done and more wait, the message goes to the end of the queue:
between two pieces of one tenant's work each other tenant gets one of its own, however many the first has asked for.
That one is on its way is a mark in the cache with an end; a mark that is lost costs a second message, which finds
nothing to do or helps, and a message that is lost is sent again when the mark has ended (`begin`, called on a schedule).

Source  SECURITY requirement R41; round robin over tenants as in Shreedhar and Varghese, Deficit Round Robin (1996)
"""

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from celery import Task
from django.core.cache import cache
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.functions import Now
from kombu.exceptions import OperationalError

from maestro.database.session import connection
from maestro.errors import Unavailable


@dataclass(frozen=True)
class Turns:
    """One kind of work of the tenant that is stood in: `free` are the rows that a worker may take, `untaken` those of
    them that none has begun. A row has `state`, `reason`, `created_at` and `ended_at`.

    Units  seconds: how long one piece may take, and so how long a mark holds
    """

    name: str
    task: Task
    free: Callable[[], QuerySet[Any]]
    untaken: Callable[[], QuerySet[Any]]
    seconds: int

    def send(self) -> None:
        """Let what was just asked for have its turn once it is committed."""
        transaction.on_commit(self.send_or_fail)

    def send_or_fail(self) -> None:
        """Send the tenant's message unless one is on its way; without a broker what waits fails and says so."""
        try:
            self.begin()
        except Unavailable as away:
            self.untaken().update(state="failed", reason=away.detail, ended_at=Now())

    def work(self, named: str, do: Callable[[uuid.UUID], str]) -> str:
        """Do the next piece, for the task; older messages name one. Then more wait, or the turn is over."""
        wanted = uuid.UUID(named) if named else self.next()
        try:
            return do(wanted) if wanted else "none waits"
        finally:
            self.go_on()

    def next(self) -> uuid.UUID | None:
        """The oldest piece that a worker may take."""
        return self.free().order_by("created_at").values_list("pk", flat=True).first()

    def waits(self) -> bool:
        """Say whether a piece waits for a worker."""
        return self.free().exists()

    def begin(self) -> bool:
        """Send the tenant's message unless one is on its way. Raises Unavailable if the broker does not answer."""
        if not self.waits() or not cache.add(self.mark, 1, timeout=self.seconds):
            return False
        self._send()
        return True

    def go_on(self) -> bool:
        """After a piece: to the end of the queue if more wait. Who asks in this moment finds no mark, or is found."""
        if self.waits():
            cache.set(self.mark, 1, timeout=self.seconds)
            self._send()
            return True
        cache.delete(self.mark)
        return self.begin()

    @property
    def mark(self) -> str:
        """The name of the mark; the cache puts the tenant before it."""
        return f"turn.{self.name}"

    def _send(self) -> None:
        try:
            self.task.apply_async(kwargs={"schema": connection.schema_name}, retry=False)
        except OperationalError as error:
            cache.delete(self.mark)
            raise Unavailable("no worker could be reached; ask again in a moment") from error
