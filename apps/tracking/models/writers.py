"""The tracking room: as whom it is resolved what a run names: what its writer could see when they wrote it."""

from collections.abc import Iterable
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.db import models

from maestro.principals import Reach


class Written(models.Model):
    """A row that may name things of other projects. Nobody is told more by it than its writer could see."""

    sees_all = models.BooleanField(db_default=False, default=False)
    sees = ArrayField(
        models.UUIDField(), null=True, blank=True, help_text="projects within the writer's reach; null: nobody noted it"
    )

    class Meta:
        abstract = True


class TagWriter(Written):
    """Who wrote a run's tag that names artifacts, as far as it matters."""

    run = models.OneToOneField("tracking.Run", primary_key=True, on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=32, help_text="md5 of the text that they wrote")

    def __str__(self) -> str:
        return f"{self.run_id} {'everything' if self.sees_all else self.sees}"


def common(reaches: Iterable[Reach]) -> Reach:
    """What all of some writers could see."""
    shared: set[UUID] | None = None
    for reach in reaches:
        if reach is not None:
            shared = set(reach) if shared is None else shared & set(reach)
    return None if shared is None else sorted(shared)
