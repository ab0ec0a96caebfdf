"""What tests of changes to many runs share: runs that logged something, and who may change them."""

from typing import Any

from apps.tracking.models import Experiment, Project
from maestro.principals import Actor, Principal
from tests.factories.door import Door


def anyone(*, role: str = "admin", is_bound: bool = False) -> Actor:
    """A key that sees everything here and may do what its role may; or one that is bound to all projects there are."""
    projects = list(Project.objects.values_list("pk", flat=True)) if is_bound else None
    return Actor("test:anyone", role, who=Principal("key", "1", "anyone", role, "acme", projects=projects))


def make_experiment(name: str, project: str = "") -> Experiment:
    """An experiment, in a project of its own if one is named."""
    home = {"project": Project.objects.get_or_create(slug=project, name=project)[0]} if project else {}
    return Experiment.objects.create(name=name, created_ms=1, updated_ms=1, **home)


def make_runs(door: Door, experiment: Experiment | str, count: int) -> list[str]:
    """Runs with a metric, a param, a tag and a dataset each."""
    number = str(getattr(experiment, "pk", experiment))
    made = []
    for index in range(count):
        run = door.run(number, run_name=f"run-{index}", start_time=1000 + index)
        batch: dict[str, Any] = {
            "run_id": run,
            "metrics": [{"key": "auc", "value": index / 10, "timestamp": 1, "step": s} for s in range(3)],
            "params": [{"key": "depth", "value": str(index)}],
            "tags": [{"key": "stage", "value": "new"}],
        }
        door.post("runs/log-batch", batch)
        door.post("runs/log-inputs", {"run_id": run, "datasets": [{"dataset": {"name": "d", "digest": "x"}}]})
        made.append(run)
    return made


def found(door: Door, experiment: Experiment, **query: Any) -> list[str]:
    """The ids that a search in an experiment finds."""
    answer = door.post("runs/search", {"experiment_ids": [str(experiment.pk)], **query})
    return [run["info"]["run_id"] for run in answer.get("runs", [])]
