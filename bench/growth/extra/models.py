"""The bench's extra room: its one model, as it is after the second release."""

from django.db import models


class Note(models.Model):
    """Something to migrate."""

    text = models.TextField()
    colour = models.CharField(max_length=20, null=True)

    def __str__(self) -> str:
        return self.text
