"""The registry room: what of it repeats a run's experiment or project goes along when the run is moved;
and which runs the registry relies on.
"""

from collections.abc import Iterable
from uuid import UUID

from django.db.models import Exists, OuterRef

from apps.registry.models import ArtifactVersion, LoggedModel, Usage
from apps.tracking.runs.moves import Move, files_elsewhere


def follow(move: Move) -> None:
    """Take the runs' logged models and usages along. Raises Conflict where a model's files would be lost from sight."""
    models = LoggedModel.objects.filter(run__in=move.runs)
    if models.filter(experiment__in=move.from_elsewhere).exists():
        raise files_elsewhere("logged models")
    models.update(experiment=move.target)
    used = Usage.objects.filter(run__in=move.runs).exclude(project=move.target.project_id)
    same = Usage.objects.filter(version=OuterRef("version"), run=OuterRef("run"), project=move.target.project_id)
    used.filter(Exists(same)).delete()
    used.update(project=move.target.project_id)


def relied_on() -> Iterable[UUID]:
    """Name the runs that made a version, also one in the trash: age alone never throws them away."""
    return ArtifactVersion.everything.exclude(run=None).order_by().values_list("run_id", flat=True).distinct()
