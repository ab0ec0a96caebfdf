"""What happens to runs by themselves: folded when quiet, lost when silent, pruned from the trash."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, MetricChunk, MetricPoint, Param, Run, RunDocument, Tag
from apps.tracking.retention import pruning
from apps.tracking.runs import folding
from apps.tracking.tasks import fold_runs
from maestro.clock import now_ms
from tests.factories.door import Door

LATER = 60_000


def log_much(door: Door, run: str) -> None:
    """Log single points, batches that overlap them, params and tags."""
    for step in range(20):
        door.post(
            "runs/log-metric", {"run_id": run, "key": "loss", "value": step / 7, "timestamp": 100 + step, "step": step}
        )
    for start in (0, 10, 30):
        points = [{"key": "loss", "value": s / 7, "timestamp": 100 + s, "step": s} for s in range(start, start + 20)]
        door.post("runs/log-batch", {"run_id": run, "metrics": points})
    body = {
        "run_id": run,
        "metrics": [{"key": "nan", "value": "NaN", "timestamp": 1}],
        "params": [{"key": "p", "value": "ü"}],
    }
    door.post("runs/log-batch", body)


def test_folding_changes_no_answer(door: Door) -> None:
    run = door.run()
    log_much(door, run)
    before = door.get("runs/get", run_id=run), door.points(run, "loss"), door.points(run, "nan")
    assert len(before[1]) == 50
    for _ in range(2):
        folding.fold_quiet(now_ms() + LATER)
    assert Run.objects.get(pk=run).is_folded
    assert MetricChunk.objects.filter(run_id=run).count() == 1
    assert list(MetricPoint.objects.filter(run_id=run).values_list("key__name", flat=True)) == ["nan"]
    assert (door.get("runs/get", run_id=run), door.points(run, "loss"), door.points(run, "nan")) == before


@pytest.mark.parametrize("write", ["log-metric", "log-parameter", "set-tag", "delete-tag", "log-inputs", "update"])
def test_a_write_after_folding_is_seen_at_once(door: Door, write: str) -> None:
    run = door.run(run_name="n")
    door.post("runs/set-tag", {"run_id": run, "key": "old", "value": "1"})
    folding.fold_quiet(now_ms() + LATER)
    bodies: dict[str, dict[str, Any]] = {
        "log-metric": {"key": "a", "value": 1, "timestamp": 1},
        "log-parameter": {"key": "p", "value": "1"},
        "set-tag": {"key": "old", "value": "2"},
        "delete-tag": {"key": "old"},
        "log-inputs": {"datasets": [{"dataset": {"name": "d", "digest": "x"}}]},
        "update": {"run_name": "other"},
    }
    before = door.get("runs/get", run_id=run)
    door.post(f"runs/{write}", {"run_id": run, **bodies[write]})
    after = door.get("runs/get", run_id=run)
    assert after != before
    assert not Run.objects.get(pk=run).is_folded
    folding.fold_quiet(now_ms() + LATER)
    assert door.get("runs/get", run_id=run) == after


def test_a_crash_while_folding_leaves_all_as_it_was(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    run = door.run()
    log_much(door, run)
    points = MetricPoint.objects.filter(run_id=run).count()
    monkeypatch.setattr(folding, "MARK", "SELECT 1 / 0")
    with pytest.raises(Exception, match="division by zero"), transaction.atomic():
        folding.fold_quiet(now_ms() + LATER)
    assert MetricPoint.objects.filter(run_id=run).count() == points
    assert not RunDocument.objects.exists()
    monkeypatch.undo()
    assert folding.fold_quiet(now_ms() + LATER) == 1


def test_a_run_that_never_rests_is_packed_as_well(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    run = door.run()
    monkeypatch.setattr(folding, "BUSY_POINTS", 5)
    for step in range(9):
        door.post("runs/log-metric", {"run_id": run, "key": "a", "value": step, "timestamp": step, "step": step})
    assert folding.fold_busy(now_ms()) == 1
    assert not MetricPoint.objects.exists()
    assert len(door.points(run, "a")) == 9


def test_long_series_become_chunks_of_bounded_length(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    run = door.run()
    monkeypatch.setattr(folding, "CHUNK_POINTS", 100)
    points = [{"key": "a", "value": s, "timestamp": s, "step": s} for s in range(250)]
    for start in (100, 0, 200):
        door.post("runs/log-batch", {"run_id": run, "metrics": points[start : start + 100]})
    folding.fold_quiet(now_ms() + LATER)
    counts = MetricChunk.objects.filter(run_id=run).order_by("first_ms").values_list("count", flat=True)
    assert list(counts) == [100, 100, 50]
    assert [value for _, _, value in door.points(run, "a")] == list(range(250))


def test_folding_acme_leaves_globex_alone(committed: Tenant, other_committed: Tenant) -> None:
    Run.objects.create(experiment_id=0, name="theirs", start_ms=1, last_write_ms=1)
    assert fold_runs(schema=other_committed.schema_name) == 0
    with tenant_context(committed):
        assert not Run.objects.get(name="theirs").is_folded
    assert fold_runs(schema=committed.schema_name) == 1


def test_a_silent_run_is_lost_and_a_finished_one_is_not(door: Door) -> None:
    silent, finished, fresh = door.run(), door.run(), door.run()
    door.post("runs/update", {"run_id": finished, "status": "FINISHED"})
    Run.objects.exclude(pk=fresh).update(last_write_ms=now_ms() - 25 * pruning.HOUR_MS)
    assert pruning.mark_lost(now_ms()) == 1
    assert Run.objects.get(pk=silent).status == Run.Status.LOST
    assert Run.objects.get(pk=finished).status == Run.Status.FINISHED
    assert Run.objects.get(pk=fresh).status == Run.Status.RUNNING
    assert pruning.mark_lost(now_ms()) == 0


def test_old_trash_goes_with_all_it_logged(door: Door) -> None:
    old, young, kept = door.run(), door.run(), door.run()
    for run in (old, young, kept):
        log_much(door, run)
    folding.fold_quiet(now_ms() + LATER)
    for run in (old, young):
        door.post("runs/delete", {"run_id": run})
    Run.objects.filter(pk=old).update(deleted_ms=now_ms() - 31 * pruning.DAY_MS)
    assert pruning.prune(now_ms()) == 1
    assert set(Run.objects.values_list("pk", flat=True)) == {Run.objects.fetch(young).pk, Run.objects.fetch(kept).pk}
    for model in (MetricPoint, MetricChunk, LatestMetric, Param, Tag, RunDocument):
        assert not model.objects.filter(run_id=old).exists(), model
        assert model.objects.filter(run_id=kept).exists(), model
    assert Experiment.objects.filter(pk=0).exists()
    assert pruning.prune(now_ms()) == 0


def test_the_command_prunes_and_a_dry_run_only_counts(committed: Tenant) -> None:
    Run.objects.create(experiment_id=0, name="old", start_ms=1, last_write_ms=1, deleted_ms=1)
    arguments = ["--tenant", committed.slug, "--output", "json"]
    answers = []
    for extra in (["--dry-run"], [], []):
        output = StringIO()
        call_command("prune_runs", *arguments, *extra, stdout=output)
        answers.append(json.loads(output.getvalue()))
    counts = {"would_trash": 0, "would_delete": 1, "files": 0, "file_bytes": 0, "experiments": 0}
    assert answers == [
        counts | {"by_project": {"default": counts}},
        {"trashed": 0, "deleted": 1, "experiments": 0},
        {"trashed": 0, "deleted": 0, "experiments": 0},
    ]
