"""Second factors: a person's authenticator app, the codes for the day it is lost, and whether one is demanded."""

from datetime import datetime
from typing import Self

from django.db import models

from maestro import peppers


class Authenticator(models.Model):
    """A person's authenticator app. The secret is encrypted; it counts once a code of it was typed in."""

    user = models.OneToOneField("auth.User", on_delete=models.CASCADE, related_name="authenticator")
    sealed_secret = models.BinaryField(editable=False)
    confirmed_at = models.DateTimeField(null=True, editable=False)
    last_step = models.BigIntegerField(default=0, editable=False, help_text="the newest step whose code was used")

    def __str__(self) -> str:
        return f"authenticator of {self.user}"


class RecoveryCodeQuerySet(models.QuerySet["RecoveryCode"]):
    """Questions about recovery codes."""

    def left(self) -> Self:
        """Keep those that were not used."""
        return self.filter(used_at=None)

    def waiting_for_old_pepper(self) -> Self:
        """Keep those that work by an older pepper: only their person can make new ones."""
        return self.left().exclude(pepper=peppers.today())

    def use(self, digests: list[bytes], at: datetime) -> bool:
        """Use a code up. Says whether there was one; of many that try at once, one is told so."""
        return self.left().filter(digest__in=digests).update(used_at=at) == 1


class RecoveryCode(models.Model):
    """A way in without the app, once. Only a digest is stored."""

    user = models.ForeignKey("auth.User", on_delete=models.CASCADE, related_name="recovery_codes")
    digest = models.BinaryField(max_length=32, editable=False)
    pepper = models.CharField(max_length=8, default="", editable=False, help_text="the mark of the digest's pepper")
    used_at = models.DateTimeField(null=True, editable=False)

    objects = RecoveryCodeQuerySet.as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="factors_one_code")]

    def __str__(self) -> str:
        return f"recovery code of {self.user}"


class FactorRule(models.Model):
    """Whether people who sign in by password must have a second factor. One row; without it, they may."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    is_required = models.BooleanField(
        default=False, help_text="who has none is asked to set one up at the next page they open"
    )

    class Meta:
        verbose_name = "second factor rule"
        constraints = [models.CheckConstraint(name="factors_one_rule", condition=models.Q(id=1))]

    def __str__(self) -> str:
        return "a second factor is required" if self.is_required else "a second factor is offered"
