"""The bench's troublemaker of the soak: ends database sessions in the middle of their work, and keeps tasks coming."""

import random
import threading
from collections.abc import Sequence

import psycopg
from celery import Celery

VICTIM = """SELECT pg_terminate_backend(pid) FROM (SELECT pid FROM pg_stat_activity
 WHERE datname = %s AND usename = 'maestro_app' AND pid <> pg_backend_pid()
 ORDER BY (state IN ('active', 'idle in transaction')) DESC, random() LIMIT 1) one"""
TASKS = (
    "apps.tracking.tasks.fold_runs",
    "apps.tracking.tasks.mark_lost_runs",
    "apps.registry.tasks.observe_usages",
    "apps.recommendations.tasks.look",
    "apps.tenants.access.tasks.forget_expired",
)


class Every(threading.Thread):
    """Does something every so often until it is stopped."""

    def __init__(self, seconds: float) -> None:
        super().__init__(daemon=True)
        self.seconds, self.done, self.stopped = seconds, 0, threading.Event()
        self.chance = random.Random(7)

    def run(self) -> None:
        """Act, wait, act again."""
        while not self.stopped.wait(self.seconds * self.chance.uniform(0.5, 1.5)):
            self.act()

    def act(self) -> None:
        """What is done."""
        raise NotImplementedError

    def stop(self) -> int:
        """End it. Returns how often it acted."""
        self.stopped.set()
        self.join()
        return self.done


class Terminator(Every):
    """Ends a session of the application: one in the middle of a transaction, if there is one."""

    def __init__(self, dsn_super: str, database: str, seconds: float) -> None:
        super().__init__(seconds)
        self.database = database
        self.link = psycopg.connect(dsn_super, autocommit=True)

    def act(self) -> None:
        """End one session."""
        self.done += len(self.link.execute(VICTIM, [self.database]).fetchall())


class TaskSender(Every):
    """Sends a task of a tenant, by chance of either."""

    def __init__(self, broker_url: str, schemas: Sequence[str], seconds: float) -> None:
        super().__init__(seconds)
        self.app, self.schemas = Celery(broker=broker_url, set_as_current=False), list(schemas)

    def act(self) -> None:
        """Send one."""
        schema = self.chance.choice(self.schemas)
        self.app.send_task(self.chance.choice(TASKS), kwargs={"schema": schema}, ignore_result=True)
        self.done += 1
