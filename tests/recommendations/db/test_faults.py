"""Faults while a training is at work, with a real broker and a real worker: nothing is lost, nothing is done twice."""

import os
import signal
from pathlib import Path

import pytest
from celery import Celery
from django.db.models.functions import Now

from apps.recommendations import leases, tasks
from apps.recommendations.models import ImpactModel, Training
from tests.recommendations.db.builders import make_past
from tests.recommendations.workers import Broker, Worker, a_worker, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def broker(tmp_path: Path, test_environment: dict[str, str]):
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


def test_a_message_that_comes_twice_is_worked_on_once(committed, broker, environment, tmp_path):
    make_past(110)
    training, _ = leases.ask(why="asked")
    with a_worker(environment, tmp_path, "--concurrency", "2", visibility=2) as worker:
        send(broker, committed.schema_name, training)
        pid = hold(worker)
        # The broker takes the message for lost and delivers it again while the first copy is at work.
        wait_for(lambda: worker.said("'taken'"), seconds=50)
        os.kill(pid, signal.SIGCONT)
        wait_for(lambda: ended(training))
        wait_for(lambda: worker.said("'done'"))
    assert (training.state, training.tries) == ("done", 1)
    assert ImpactModel.objects.filter(target="impact", unit="project").count() == 1
    assert Training.objects.count() == 1


def test_a_broker_that_was_killed_and_came_back_empty_costs_no_training(committed, broker, environment, tmp_path):
    make_past(30)
    training, _ = leases.ask(why="asked")
    with a_worker(environment, tmp_path, "--concurrency", "1") as worker:
        wait_for(lambda: worker.said("ready."))
        broker.kill()
        # The message that was sent went with the broker; only the row knows of the training.
        Training.objects.filter(pk=training.pk).update(created_at=Now() - 2 * leases.SENT)
        broker.start()
        strike(broker)
        wait_for(lambda: ended(training))
        assert worker.is_alive()
    assert (training.state, training.tries) == ("done", 1)


def test_a_training_without_enough_memory_fails_with_that_reason_and_the_worker_does_the_next(
    committed, broker, environment, tmp_path
):
    make_past(105)
    with a_worker(environment | {"MAESTRO_TRAINING_MB": "200"}, tmp_path, "--concurrency", "1") as worker:
        for _ in range(2):
            training, _ = leases.ask(why="asked", force=True)
            send(broker, committed.schema_name, training)
            wait_for(lambda: ended(training))  # noqa: B023 called in this turn of the loop
            assert training.state == "failed"
            assert "more memory" in training.reason
        assert worker.is_alive()
        assert worker.said("'failed'") == 2
