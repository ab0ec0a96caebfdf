"""Faults while a training is at work, with a real broker and a real worker: nothing is lost, nothing is done twice."""

import os
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from celery import Celery
from django.db.models import F
from django.db.models.functions import Now

from apps.recommendations import tasks
from apps.recommendations.models import ImpactModel, Training
from apps.recommendations.work import leases, processes
from apps.tenants.models import Tenant
from config.schedule import SCHEDULE
from tests.factories.learning import make_past
from tests.recommendations.work.workers import Broker, Worker, a_worker, is_running, wait_for

pytestmark = pytest.mark.slow
TAKEN_UP_SECONDS = 90


@pytest.fixture
def broker(tmp_path: Path, test_environment: dict[str, str]) -> Iterator[Broker]:
    """A broker of this test's own."""
    own = Broker(tmp_path)
    own.start()
    yield own
    own.kill()


@pytest.fixture
def environment(test_environment: dict[str, str], broker: Broker) -> dict[str, str]:
    """The environment of a worker on this test's database and broker."""
    return test_environment | {"MAESTRO_REDIS_URL": broker.url, "CELERYD_PREFETCH_MULTIPLIER": "1"}


def send(broker: Broker, schema: str, training: Training) -> None:
    """Send a training's message, as `tasks.deliver` does, to this test's broker."""
    with Celery("sender", broker=broker.url, set_as_current=False).connection() as connection:
        tasks.train.apply_async(kwargs={"schema": schema, "training": str(training.pk)}, connection=connection)


def strike(broker: Broker) -> None:
    """Do what beat does every twenty seconds; waiting for it would tell nothing more."""
    with Celery("beat", broker=broker.url, set_as_current=False).connection() as connection:
        tasks.resume_trainings.apply_async(connection=connection)


def ended(training: Training) -> bool:
    """Say whether it is over."""
    training.refresh_from_db()
    return not training.is_open


def hold(worker: Worker) -> int:
    """Stop the training's process where it is. Returns its pid."""
    pid = wait_for(worker.training)
    os.kill(pid, signal.SIGSTOP)
    return int(pid)


def test_a_message_that_comes_twice_is_worked_on_once(
    committed: Tenant, broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    make_past(30)
    training, _ = leases.ask(why="asked")
    with a_worker(environment, tmp_path, "--concurrency", "2", visibility=2) as worker:
        send(broker, committed.schema_name, training)
        pid = hold(worker)
        # The broker takes the message for lost and delivers it again while the first copy is at work.
        wait_for(lambda: worker.said("'taken'"))
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: ended(training))
        wait_for(lambda: worker.said("'done'"))
    assert (training.state, training.tries) == ("done", 1)
    assert ImpactModel.objects.filter(target="impact", unit="project").count() == 1
    assert Training.objects.count() == 1


def test_a_broker_killed_in_the_middle_of_a_training_costs_neither_that_one_nor_the_next(
    committed: Tenant, broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    make_past(30)
    first, _ = leases.ask(why="asked")
    with a_worker(environment, tmp_path, "--concurrency", "1") as worker:
        send(broker, committed.schema_name, first)
        pid = hold(worker)
        broker.kill()
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: ended(first))
        # Asked while the broker is away, and what it held is gone: only the row knows of this one.
        second, _ = leases.ask(why="asked", force=True)
        Training.objects.filter(pk=second.pk).update(created_at=Now() - 2 * leases.SENT)
        broker.start()
        strike(broker)
        wait_for(lambda: ended(second))
        assert worker.is_alive()
    assert [(one.state, one.tries) for one in (first, second)] == [("done", 1)] * 2
    assert ImpactModel.objects.filter(target="impact", unit="project").count() == 2


def test_a_killed_worker_s_training_is_free_within_ninety_seconds_and_done_once_by_another(
    committed: Tenant, broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    make_past(30)
    training, _ = leases.ask(why="asked")
    with a_worker(environment, tmp_path, "--concurrency", "1") as worker:
        send(broker, committed.schema_name, training)
        pid = hold(worker)
        worker.kill()
    # The training's process ends with its worker, although nobody has told it to.
    wait_for(lambda: not is_running(pid))
    mine = Training.objects.filter(pk=training.pk)
    left, state = mine.values_list(F("lease_until") - Now(), "state").get()
    assert state == "running"
    assert leases.abandoned() == []
    assert left.total_seconds() + SCHEDULE["resume-trainings"]["schedule"] < TAKEN_UP_SECONDS
    # The lease runs out: the test need not wait for that minute.
    mine.update(lease_until=Now() - timedelta(seconds=1))
    assert leases.abandoned() == [training.pk]
    with a_worker(environment, tmp_path, "--concurrency", "1"):
        strike(broker)
        wait_for(lambda: ended(training))
    assert (training.state, training.tries) == ("done", 2)
    assert ImpactModel.objects.filter(target="impact", unit="project").count() == 1
    assert processes.supervise(committed, training.pk) == "taken"


def test_a_training_without_enough_memory_fails_with_that_reason_and_the_worker_does_the_next(
    committed: Tenant, broker: Broker, environment: dict[str, str], tmp_path: Path
) -> None:
    make_past(105)
    with a_worker(environment | {"MAESTRO_TRAINING_MB": "200"}, tmp_path, "--concurrency", "1") as worker:
        for _ in range(2):
            training, _ = leases.ask(why="asked", force=True)
            send(broker, committed.schema_name, training)
            wait_for(lambda: ended(training))  # noqa: B023 called in this turn of the loop
            assert training.state == "failed"
            assert "more memory" in training.reason
        assert worker.is_alive()
        # The row says how it ended a moment before the worker does.
        wait_for(lambda: worker.said("'failed'") == 2)
