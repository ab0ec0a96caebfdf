"""The registry room: what lies in the trash is hidden from every question but those that ask for everything."""

from typing import Generic, TypeVar

from django.db import models

Row = TypeVar("Row", bound=models.Model)


class Living(models.Manager[Row], Generic[Row]):
    """Sees what is not in the trash. `everything` beside it sees all."""

    def get_queryset(self) -> models.QuerySet[Row]:
        """Leave out what lies in the trash."""
        return super().get_queryset().filter(deleted_ms=None)
