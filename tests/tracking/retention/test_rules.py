"""What becomes of runs by themselves follows the rules of their project, and can crash at any point."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.files import blobs
from apps.tracking.models import (
    Experiment,
    LatestMetric,
    LifeRule,
    MetricKey,
    MetricPoint,
    Param,
    Project,
    Run,
    RunFile,
    Trace,
)
from apps.tracking.retention import pruning, rules
from apps.tracking.retention.endings import tally
from apps.tracking.retention.rules import Rules
from maestro.clock import now_ms
from maestro.principals import Actor
from tests.factories.door import Door
from tests.factories.many_runs import make_experiment
from tests.patience import START_SECONDS

ROOT = Path(__file__).resolve().parents[3]
DAY, HOUR = pruning.DAY_MS, pruning.HOUR_MS
NOW = 1_800_000_000_000


def make_run(home: Experiment, name: str, **fields: Any) -> Run:
    return Run.objects.create(experiment=home, name=name, **({"start_ms": 1, "last_write_ms": 1} | fields))


def names(**query: Any) -> set[str]:
    return set(Run.objects.filter(**query).values_list("name", flat=True))


@pytest.fixture
def homes(acme: Tenant) -> dict[str, Experiment]:
    """An experiment in each of three projects."""
    return {slug: make_experiment(slug, slug) for slug in ("short", "long", "plain")}


def say(slug: str | None, **values: Any) -> LifeRule:
    project = Project.objects.get(slug=slug) if slug else None
    return rules.set_rule(project, values, by=Actor("test:somebody"))


def test_a_project_s_word_goes_before_that_of_all_and_that_before_ours(homes: dict[str, Experiment]) -> None:
    project = homes["short"].project
    assert rules.in_force(project) == Rules(30, None, 24.0)
    say(None, trash_days=10, lost_after_hours=2.0)
    say("short", trash_days=0, keep_runs_days=90)
    assert rules.in_force(project) == Rules(0, 90, 2.0)
    assert rules.in_force(homes["plain"].project) == Rules(10, None, 2.0)
    say("short")
    assert rules.in_force(project) == Rules(10, None, 2.0)


def test_setting_a_rule_is_written_down_once(homes: dict[str, Experiment]) -> None:
    for _ in range(2):
        say("short", trash_days=3)
    event = AuditEvent.objects.get(action="retention.change")
    assert (event.actor, event.object_type, event.before) == ("test:somebody", "Project", None)
    assert event.after == {"trash_days": 3, "keep_runs_days": None, "lost_after_hours": None}
    assert LifeRule.objects.get().set_by == "test:somebody"


def test_there_is_one_rule_of_all_projects(acme: Tenant) -> None:
    LifeRule.objects.create(trash_days=1)
    with pytest.raises(IntegrityError), transaction.atomic():
        LifeRule.objects.create(trash_days=2)
    with pytest.raises(IntegrityError), transaction.atomic():
        LifeRule.objects.filter(project=None).update(keep_runs_days=0)


def test_trash_goes_when_its_project_says(homes: dict[str, Experiment]) -> None:
    say("short", trash_days=2)
    say("long", trash_days=60)
    for slug, home in homes.items():
        for days in (1, 3, 40, 70):
            make_run(home, f"{slug}-{days}", deleted_ms=NOW - days * DAY)
        make_run(home, f"{slug}-kept")
    gone = {"short-3", "short-40", "short-70", "plain-40", "plain-70", "long-70"}
    assert {slug: counts["would_delete"] for slug, counts in pruning.outlook(NOW).items()} == {
        "short": 3,
        "plain": 2,
        "long": 1,
    }
    before = names()
    assert pruning.prune(NOW) == 6
    assert names() == before - gone
    assert pruning.prune(NOW) == 0
    event = AuditEvent.objects.get(action="run.destroy")
    assert (event.actor, event.object_id, len(event.after["runs"])) == ("task:retention", "6 runs", 6)


def test_an_experiment_in_the_trash_goes_after_the_same_time_when_its_runs_are_gone(
    homes: dict[str, Experiment],
) -> None:
    say("short", trash_days=2)
    for home in homes.values():
        Trace.objects.bulk_create(Trace(id=f"tr-{home.pk}-{i}", experiment=home, request_ms=i) for i in range(3))
        Experiment.objects.filter(pk=home.pk).update(deleted_ms=NOW - 3 * DAY)
    Experiment.objects.filter(pk=0).update(deleted_ms=1)
    late = make_run(homes["short"], "late", deleted_ms=NOW - DAY)
    model = LoggedModel.objects.create(experiment=homes["plain"], name="m", created_ms=1, updated_ms=1)
    assert pruning.prune_experiments(NOW) == 0
    late.delete()
    assert pruning.prune_experiments(NOW) == 1
    assert not Experiment.objects.filter(pk=homes["short"].pk).exists()
    assert set(Trace.objects.values_list("experiment", flat=True)) == {homes[n].pk for n in homes if n != "short"}
    event = AuditEvent.objects.get(action="experiment.destroy")
    assert (event.object_id, event.before) == (str(homes["short"].pk), {"name": homes["short"].name})
    assert pruning.prune_experiments(NOW, days=1) == len(homes) - 2
    assert Experiment.objects.filter(pk=homes["plain"].pk).exists()
    assert Trace.objects.filter(experiment=homes["plain"].pk).exists()
    model.delete()
    assert pruning.prune_experiments(NOW, days=1) == 1
    assert list(Experiment.objects.values_list("pk", flat=True)) == [0]


def test_old_runs_go_to_the_trash_where_their_project_says_so(homes: dict[str, Experiment]) -> None:
    say("short", keep_runs_days=30)
    for slug in ("short", "plain"):
        make_run(homes[slug], f"{slug}-old", status="FINISHED", last_write_ms=NOW - 31 * DAY)
        make_run(homes[slug], f"{slug}-ended-late", status="FAILED", last_write_ms=1, end_ms=NOW - 29 * DAY)
        make_run(homes[slug], f"{slug}-running", status="RUNNING", last_write_ms=1)
        make_run(homes[slug], f"{slug}-lost", status="LOST", last_write_ms=NOW - 31 * DAY)
    assert pruning.expire(NOW) == 2
    assert names(deleted_ms=NOW) == {"short-old", "short-lost"}
    assert pruning.expire(NOW) == 0
    assert pruning.prune(NOW + 29 * DAY) == 0
    assert pruning.prune(NOW + 31 * DAY) == 2


def test_a_run_that_made_a_version_is_not_thrown_away_for_its_age(homes: dict[str, Experiment]) -> None:
    say("short", keep_runs_days=1)
    maker, other = (make_run(homes["short"], name, status="FINISHED") for name in ("maker", "other"))
    artifact = Artifact.objects.create(name="m", kind="model", created_ms=1, updated_ms=1)
    ArtifactVersion.objects.create(
        artifact=artifact, number=1, state="ready", digest="0" * 64, created_ms=1, updated_ms=1, run=maker
    )
    assert pruning.outlook(NOW)["short"]["would_trash"] == 1
    assert pruning.expire(NOW) == 1
    assert names(deleted_ms=None) == {"maker"}
    assert other.name in names(deleted_ms=NOW)


def test_the_outlook_names_files_and_bytes(homes: dict[str, Experiment]) -> None:
    run = make_run(homes["plain"], "old", deleted_ms=1)
    for path in ("a", "b"):
        RunFile.objects.create(run=run, path=path, blob=blobs.store_text("12345"))
    counts = {"would_trash": 0, "would_delete": 1, "files": 2, "file_bytes": 10, "experiments": 0}
    assert pruning.outlook(NOW) == {"plain": counts}


def test_the_outlook_counts_the_experiments_that_go_and_no_other(homes: dict[str, Experiment]) -> None:
    old = {"created_ms": 1, "updated_ms": 1, "deleted_ms": NOW - 40 * DAY}
    for name in ("empty", "emptied", "young run", "kept run", "model"):
        made = Experiment.objects.create(name=name, project=homes["plain"].project, **old)
        if name == "model":
            LoggedModel.objects.create(experiment=made, name="m", created_ms=1, updated_ms=1)
        elif name != "empty":
            deleted = {"emptied": NOW - 31 * DAY, "young run": NOW - DAY, "kept run": None}[name]
            make_run(made, name, deleted_ms=deleted)
    Experiment.objects.create(name="young", project=homes["short"].project, **old | {"deleted_ms": NOW - DAY})
    Experiment.objects.filter(pk=0).update(deleted_ms=1)
    foreseen = pruning.outlook(NOW)
    assert {slug: counts["experiments"] for slug, counts in foreseen.items()} == {"plain": 2}
    assert pruning.outlook(NOW, days=0.5)["short"]["experiments"] == 1
    before = set(Experiment.objects.values_list("name", flat=True))
    assert pruning.prune(NOW) == foreseen["plain"]["would_delete"]
    assert pruning.prune_experiments(NOW) == foreseen["plain"]["experiments"]
    assert before - set(Experiment.objects.values_list("name", flat=True)) == {"empty", "emptied"}


def test_runs_are_lost_after_the_silence_that_their_project_allows(homes: dict[str, Experiment]) -> None:
    say("short", lost_after_hours=0.5)
    say("long", lost_after_hours=100)
    for slug, home in homes.items():
        for hours in (1, 50, 200):
            make_run(home, f"{slug}-{hours}", status="RUNNING", last_write_ms=NOW - hours * HOUR)
    assert pruning.mark_lost(NOW) == 6
    assert names(status="LOST") == {"short-1", "short-50", "short-200", "plain-50", "plain-200", "long-200"}
    assert pruning.mark_lost(NOW, hours=0.1) == 3


@pytest.mark.parametrize("write", ["metric", "file"])
def test_a_lost_run_that_writes_again_has_come_back(door: Door, write: str) -> None:
    run = door.run()
    Run.objects.filter(pk=run).update(last_write_ms=now_ms() - 25 * HOUR)
    assert pruning.mark_lost(now_ms()) == 1
    if write == "metric":
        door.post("runs/log-metric", {"run_id": run, "key": "a", "value": 1, "timestamp": 1})
    else:
        path = f"/api/2.0/mlflow-artifacts/artifacts/0/{run}/artifacts/a.txt"
        assert door.client.put(path, b"x", content_type="application/octet-stream").status_code == 200
    assert Run.objects.get(pk=run).status == "RUNNING"
    assert pruning.mark_lost(now_ms()) == 0


def test_lost_runs_are_left_out_of_the_rate_and_counted_as_waste(homes: dict[str, Experiment]) -> None:
    home = homes["plain"]
    for index in range(3):
        make_run(home, f"good-{index}", status="FINISHED", end_ms=1 + HOUR)
    make_run(home, "bad", status="FAILED", end_ms=1 + 2 * HOUR)
    make_run(home, "lost", status="LOST", last_write_ms=1 + 4 * HOUR)
    make_run(home, "live", status="RUNNING", last_write_ms=1 + HOUR)
    counted = tally(Run.objects.all())
    assert (counted.success_rate, counted.ended, counted.lost) == (0.75, 4, 1)
    assert (counted.wasted_hours, counted.spent_hours) == (6.0, 10.0)
    Run.objects.filter(name="bad").update(deleted_ms=NOW)
    counted = tally(Run.objects.all())
    assert (counted.by_status, counted.trashed) == ({"FINISHED": 3, "LOST": 1, "RUNNING": 1}, 1)
    assert (counted.wasted_hours, counted.spent_hours) == (4.0, 8.0)
    assert tally(Run.objects.none()).success_rate is None


def test_a_killed_pruning_leaves_whole_runs_and_the_next_goes_on(
    committed: Tenant, test_environment: dict[str, str]
) -> None:
    count = 1_500
    runs = [Run(experiment_id=0, name=str(i), start_ms=1, last_write_ms=1, deleted_ms=1) for i in range(count)]
    Run.objects.bulk_create(runs)
    key = MetricKey.objects.create(name="m")
    points = {"key": key, "timestamp_ms": 1, "value": 1.0}
    MetricPoint.objects.bulk_create([MetricPoint(run=run, step=s, **points) for run in runs for s in range(5)])
    LatestMetric.objects.bulk_create([LatestMetric(run=run, experiment_id=0, step=4, **points) for run in runs])
    Param.objects.bulk_create([Param(run=run, key="p", value="v") for run in runs])
    command = [sys.executable, str(ROOT / "manage.py"), "prune_runs", "--tenant", committed.slug]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | test_environment, stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + START_SECONDS
    while Run.objects.count() == count and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    process.wait()
    left = Run.objects.count()
    assert 0 < left < count
    assert left % pruning.AT_ONCE == 0
    assert MetricPoint.objects.count() == left * 5
    assert LatestMetric.objects.count() == Param.objects.count() == left
    logged = AuditEvent.objects.filter(action="run.destroy").values_list("after", flat=True)
    assert sum(len(after["runs"]) for after in logged) == count - left
    assert pruning.prune(now_ms()) == left
    assert not MetricPoint.objects.exists()
    assert timezone.now() > AuditEvent.objects.latest("at").at
