"""One change to many runs: all of them or none, and written down."""

import uuid

import pytest

from apps.tenants.access.models import AuditEvent
from apps.tracking.models import MetricPoint, Run
from apps.tracking.runs import bulk, folding
from apps.tracking.runs import tags as runs_tags
from apps.tracking.runs.bulk import Action, Order
from apps.tracking.runs.selection import Choice, Wanted
from maestro.clock import now_ms
from maestro.errors import Conflict, Forbidden, Invalid, NotFound
from tests.factories.door import Door
from tests.factories.many_runs import anyone, make_experiment, make_runs


def by_id(runs: list[str]) -> Choice:
    return Choice(tuple(uuid.UUID(run) for run in runs))


def tags(door: Door, run: str) -> dict[str, str]:
    return {key: value for key, value in door.data(run)["tags"].items() if not key.startswith("mlflow.")}


def test_tags_are_put_and_taken_off_and_old_answers_forgotten(door: Door) -> None:
    runs = make_runs(door, make_experiment("one"), 3)
    folding.fold_quiet(now_ms() + 60_000)
    order = Order(Action.TAG, by_id(runs[:2]), {"kept": "yes", "why": ""}, ["stage"])
    done = bulk.carry_out(order, anyone(), now=now_ms())
    assert (done.chosen, done.changed) == (2, 2)
    assert [tags(door, run) for run in runs] == [{"kept": "yes", "why": ""}] * 2 + [{"stage": "new"}]
    assert bulk.carry_out(order, anyone(), now=now_ms()).changed == 0
    put, taken = AuditEvent.objects.get(action="run.tag"), AuditEvent.objects.get(action="run.untag")
    assert (put.after, put.before) == ({"tags": {"kept": "yes", "why": ""}, "runs": sorted(runs[:2])}, {"tags": {}})
    assert taken.after == {"runs": sorted(runs[:2])}
    assert taken.before == {"tags": {run: {"stage": "new"} for run in sorted(runs[:2])}}


def test_a_person_s_tag_is_no_sign_of_life(door: Door) -> None:
    (run,) = make_runs(door, make_experiment("one"), 1)
    Run.objects.filter(pk=run).update(status=Run.Status.LOST, last_write_ms=5)
    bulk.carry_out(Order(Action.TAG, by_id([run]), {"seen": "1"}), anyone(), now=now_ms())
    assert Run.objects.values_list("status", "last_write_ms").get(pk=run) == ("LOST", 5)


@pytest.mark.parametrize(
    ("put", "dropped"), [({}, []), ({"mlflow.runName": "x"}, []), ({}, ["mlflow.note.content"]), ({"a": "1"}, ["a"])]
)
def test_tags_of_clients_and_empty_orders_are_refused(door: Door, put: dict[str, str], dropped: list[str]) -> None:
    runs = make_runs(door, make_experiment("one"), 1)
    with pytest.raises(Invalid):
        bulk.carry_out(Order(Action.TAG, by_id(runs), put, dropped), anyone(), now=now_ms())
    assert tags(door, runs[0]) == {"stage": "new"}


def test_runs_go_to_the_trash_and_come_back(door: Door) -> None:
    runs = make_runs(door, make_experiment("one"), 3)
    first = bulk.carry_out(Order(Action.TRASH, by_id(runs[:2])), anyone(), now=50)
    again = bulk.carry_out(Order(Action.TRASH, by_id(runs)), anyone(), now=60)
    assert (first.changed, again.changed) == (2, 1)
    assert set(Run.objects.values_list("deleted_ms", flat=True)) == {50, 60}
    assert bulk.carry_out(Order(Action.RESTORE, by_id(runs)), anyone(), now=70).changed == 3
    assert set(Run.objects.values_list("deleted_ms", flat=True)) == {None}
    assert AuditEvent.objects.filter(action__in=["run.trash", "run.restore"]).count() == 3


def test_no_run_comes_back_into_an_experiment_that_is_in_the_trash(door: Door) -> None:
    home = make_experiment("one")
    runs = make_runs(door, home, 1)
    door.post("experiments/delete", {"experiment_id": str(home.pk)})
    with pytest.raises(Conflict, match="restore it first"):
        bulk.carry_out(Order(Action.RESTORE, by_id(runs)), anyone(), now=1)


def test_only_what_is_in_the_trash_is_deleted_for_ever_and_only_by_admins(door: Door) -> None:
    runs = make_runs(door, make_experiment("one"), 2)
    bulk.carry_out(Order(Action.TRASH, by_id(runs[:1])), anyone(), now=50)
    with pytest.raises(Conflict, match="not in the trash"):
        bulk.carry_out(Order(Action.DELETE, by_id(runs)), anyone(), now=60)
    lesser = anyone(role="approver")
    with pytest.raises(Forbidden):
        bulk.carry_out(Order(Action.DELETE, by_id(runs[:1])), lesser, now=60)
    assert Run.objects.count() == 2
    assert bulk.carry_out(Order(Action.DELETE, by_id(runs[:1])), anyone(), now=60).changed == 1
    assert [run.pk.hex for run in Run.objects.all()] == runs[1:]
    assert not MetricPoint.objects.filter(run_id=runs[0]).exists()


def test_one_run_that_is_not_there_leaves_all_as_they_were(door: Door) -> None:
    runs = make_runs(door, make_experiment("one"), 2)
    with pytest.raises(NotFound, match="nothing was changed"):
        bulk.carry_out(Order(Action.TRASH, by_id([*runs, uuid.uuid4().hex])), anyone(), now=50)
    assert Run.objects.filter(deleted_ms=None).count() == 2


def test_a_filter_must_find_what_was_seen(door: Door) -> None:
    home = make_experiment("one")
    runs = make_runs(door, home, 4)
    wanted = Wanted([home.pk], "metrics.auc >= 0.2")
    with pytest.raises(Conflict, match="finds 2 runs, not 3"):
        bulk.carry_out(Order(Action.TRASH, Choice((), wanted, 3)), anyone(), now=50)
    assert bulk.carry_out(Order(Action.TRASH, Choice((), wanted, 2)), anyone(), now=50).changed == 2
    assert {run.pk.hex for run in Run.objects.filter(deleted_ms=50)} == set(runs[2:])


def test_a_filter_tells_lost_runs_from_running_ones(door: Door) -> None:
    home = make_experiment("one")
    runs = make_runs(door, home, 3)
    Run.objects.filter(pk=runs[0]).update(status="LOST")
    for status, count in (("LOST", 1), ("RUNNING", 2), ("FINISHED", 0)):
        order = Order(Action.TAG, Choice((), Wanted([home.pk], status=status), count), {"was": status})
        assert bulk.carry_out(order, anyone(), now=50).chosen == count
    assert tags(door, runs[0])["was"] == "LOST"


def test_a_dry_run_says_what_would_be_and_changes_nothing(door: Door) -> None:
    runs = make_runs(door, make_experiment("one"), 2)
    done = bulk.carry_out(Order(Action.TRASH, by_id(runs)), anyone(), now=50, is_dry=True)
    assert (done.changed, done.is_dry) == (2, True)
    assert Run.objects.filter(deleted_ms=None).count() == 2
    assert not AuditEvent.objects.filter(action="run.trash").exists()


def test_a_crash_in_the_middle_leaves_all_as_it_was(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = make_runs(door, make_experiment("one"), 2)
    monkeypatch.setattr(
        runs_tags, "CHANGED", runs_tags.CHANGED.replace("SELECT run_id, is_put FROM touched", "SELECT 1 / 0, true")
    )
    with pytest.raises(Exception, match="division by zero"):
        bulk.carry_out(Order(Action.TAG, by_id(runs), {"a": "1"}), anyone(), now=50)
    assert tags(door, runs[0]) == {"stage": "new"}
