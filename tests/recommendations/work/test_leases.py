"""Who works on a training: one at a time, taken over when a worker dies, given up after three tries."""

import signal
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db.models.functions import Now
from django_tenants.utils import tenant_context

from apps.recommendations import tasks
from apps.recommendations.models import Training
from apps.recommendations.past import outcomes
from apps.recommendations.work import leases, processes
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config.schedule import SCHEDULE
from maestro.database.session import connection
from maestro.principals import Actor
from tests.factories.learning import make_past

ROOT = Path(__file__).resolve().parents[3]


def expire(training: Training) -> None:
    """Let a lease run out, as sixty seconds of silence would."""
    Training.objects.filter(pk=training.pk).update(lease_until=Now() - timedelta(seconds=1))


def test_asking_twice_gives_one_training(acme: Tenant) -> None:
    first, made = leases.ask(why="asked")
    second, again = leases.ask(why="schedule")
    assert (first.pk, made, again) == (second.pk, True, False)


def test_somebody_s_asking_is_one_event_and_joining_an_open_training_is_none(acme: Tenant) -> None:
    first, made = leases.ask_as(Actor("person:ada"), force=True)
    second, again = leases.ask_as(Actor("key:ci"))
    assert (first.pk, made, again) == (second.pk, True, False)
    event = AuditEvent.objects.get(action="training.ask")
    assert (event.actor, event.object_id, first.asked_by) == ("person:ada", str(first.pk), "person:ada")
    assert event.after == {"why": "asked", "force": True, "seed": 0}


def test_two_workers_can_t_hold_one_training(acme: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    assert leases.take(training.pk, "one") is not None
    assert leases.take(training.pk, "two") is None
    assert leases.renew(training.pk, "one")
    assert not leases.renew(training.pk, "two")


def test_many_workers_at_once_take_it_once(committed: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    taken: list[str] = []

    def attempt(name: str) -> None:
        with tenant_context(committed):
            if leases.take(training.pk, name) is not None:
                taken.append(name)
        connection.close()

    threads = [threading.Thread(target=attempt, args=(f"worker {k}",)) for k in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert len(taken) == 1


def test_a_silent_worker_s_training_is_taken_over_and_the_old_one_writes_nothing(acme: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    leases.take(training.pk, "dead")
    expire(training)
    assert leases.abandoned() == [training.pk]
    assert leases.take(training.pk, "alive") is not None
    with pytest.raises(leases.LeaseLost), leases.holding(training.pk, "dead"):
        raise AssertionError("a worker without a lease came in")
    with pytest.raises(leases.LeaseLost):
        leases.report(training.pk, "dead", percent=50, step="still here")


def test_the_third_death_fails_the_training_and_says_why(acme: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    for name in ("one", "two", "three"):
        assert leases.take(training.pk, name) is not None
        expire(training)
    assert leases.take(training.pk, "four") is None
    assert leases.abandoned() == []
    training.refresh_from_db()
    assert (training.state, training.tries) == ("failed", 3)
    assert "3 tries" in training.reason


def test_a_training_that_was_just_sent_is_not_sent_again_at_once_but_a_forgotten_one_is(acme: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    assert leases.abandoned() == []
    Training.objects.filter(pk=training.pk).update(created_at=Now() - timedelta(seconds=90))
    assert leases.abandoned() == [training.pk]


def test_a_crash_is_tried_again_and_a_lack_of_memory_is_not(acme: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    leases.take(training.pk, "one")
    processes.settle(training.pk, "one", processes.Ended(-signal.SIGSEGV, ""))
    training.refresh_from_db()
    assert (training.state, training.lease_until) == ("running", None)
    leases.take(training.pk, "two")
    processes.settle(training.pk, "two", processes.Ended(1, "std::bad_alloc"))
    training.refresh_from_db()
    assert (training.state, training.reason) == ("failed", "it needed more memory than a training may have")


def test_a_process_that_takes_too_long_is_ended(
    test_environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in test_environment.items():
        monkeypatch.setenv(name, value)
    ended = processes.run_command("run_training", "--help", seconds=0.01)
    assert ended.code == 1
    assert "longer than" in ended.last_words


def test_a_task_without_a_tenant_is_refused(db: None) -> None:
    with pytest.raises(Exception, match="schema="):
        tasks.train(training="0197")


def test_the_look_asks_for_a_training_once_an_outcome_is_there(acme: Tenant) -> None:
    assert not outcomes.changed_since_training()
    past = make_past(2)
    assert outcomes.changed_since_training()
    training, _ = leases.ask(why="outcomes")
    Training.objects.filter(pk=training.pk).update(state="done", data_at=Now(), ended_at=Now())
    assert not outcomes.changed_since_training()
    Project.objects.filter(pk=past.projects[0].pk).update(outcome_set_at=Now() + timedelta(seconds=5))
    assert outcomes.changed_since_training()


def test_the_rule_is_applied_to_ended_projects_that_no_person_judged(acme: Tenant) -> None:
    past = make_past(3, runs=2)
    ids = [one.pk for one in past.projects]
    Project.objects.filter(pk__in=ids).update(success=None, outcome_source="", goal_worst=0.4, goal_best=1.0)
    Project.objects.filter(pk=ids[0]).update(success=7, outcome_source="person")
    Project.objects.filter(pk=ids[1]).update(ends_at=None)
    assert outcomes.derive_due(Project.objects.get(pk=ids[2]).ends_at + timedelta(days=1)) == 1
    derived = Project.objects.get(pk=ids[2])
    assert (derived.outcome_source, derived.outcome_set_by) == ("derived", "rule")
    assert 0 <= derived.success <= 100
    assert Project.objects.get(pk=ids[0]).success == 7
    assert Project.objects.get(pk=ids[1]).success is None


def test_what_the_schedule_names_is_there_and_runs_for_each_tenant(db: None) -> None:
    ours = {name: entry["task"] for name, entry in SCHEDULE.items() if "recommendations" in entry["task"]}
    assert set(ours) == {"resume-trainings", "look-for-outcomes", "train-nightly", "prune-learnings"}
    for task in ours.values():
        assert hasattr(tasks, task.rsplit(".", 1)[1])


def test_a_training_whose_message_was_lost_is_sent_again(committed: Tenant) -> None:
    training, _ = leases.ask(why="asked")
    Training.objects.filter(pk=training.pk).update(created_at=Now() - timedelta(seconds=90))
    assert tasks.resume_trainings() >= 1
    connection.set_tenant(committed)


def test_the_nightly_training_is_asked_for_in_its_own_tenant_only(committed: Tenant, other_committed: Tenant) -> None:
    tasks.train_tonight(schema=other_committed.schema_name)
    with tenant_context(committed):
        assert not Training.objects.exists()
    with tenant_context(other_committed):
        assert Training.objects.get().why == "schedule"


def test_the_look_derives_settles_and_asks(committed: Tenant) -> None:
    past = make_past(2, runs=2)
    Project.objects.filter(pk=past.projects[0].pk).update(
        success=None, outcome_source="", outcome_set_at=None, goal_worst=0.0, goal_best=1.0
    )
    said = tasks.look(schema=committed.schema_name)
    with tenant_context(committed):
        assert said.startswith("1 outcomes derived, training")
        assert Training.objects.get().why == "outcomes"
        assert Project.objects.get(pk=past.projects[0].pk).outcome_source == "derived"
