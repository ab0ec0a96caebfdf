"""The access room: answers kept for repeated POSTs.

Source  IETF draft-ietf-httpapi-idempotency-key-header
"""

from django.db import models


class IdempotentRequest(models.Model):
    """A POST that carried an Idempotency-Key, what it asked and what was answered; kept for 24 hours."""

    principal = models.CharField(max_length=300)
    key = models.CharField(max_length=200)
    route = models.CharField(max_length=300)
    body_sha256 = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField(null=True)
    answer = models.BinaryField(null=True)
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["principal", "route", "key"], name="access_one_answer_a_key")]

    def __str__(self) -> str:
        return f"{self.route} {self.key[:12]}"
