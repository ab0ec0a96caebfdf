"""The registry room: what of it repeats a run's experiment or project goes along when the run is moved."""

from django.db.models import Exists, OuterRef

from apps.registry.models import LoggedModel, Usage
from apps.tracking.moving import Move
from maestro.errors import Conflict


def follow(move: Move) -> None:
    """Take the runs' logged models and usages along. Raises Conflict where a model's files would be lost from sight."""
    models = LoggedModel.objects.filter(run__in=move.runs)
    elsewhere = [home.pk for home in move.sources if home.location != move.target.location]
    if models.filter(experiment__in=elsewhere).exists():
        raise Conflict(
            "these runs logged models, whose files lie where their experiment's do, and the other experiment keeps"
            " its files elsewhere; nothing was moved",
            "files_elsewhere",
        )
    models.update(experiment=move.target)
    used = Usage.objects.filter(run__in=move.runs).exclude(project=move.target.project_id)
    same = Usage.objects.filter(version=OuterRef("version"), run=OuterRef("run"), project=move.target.project_id)
    used.filter(Exists(same)).delete()
    used.update(project=move.target.project_id)
