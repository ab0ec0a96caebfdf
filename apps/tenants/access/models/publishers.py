"""The access room: CI systems that a tenant trusts, and the identity tokens that were used already."""

from django.db import models
from django.db.models import Q

from maestro import limits
from maestro.clock import uuid7
from maestro.principals import ROLES


class TrustedPublisher(models.Model):
    """A CI job that may enter without a stored secret: whose tokens, with which claims, into which project, as what."""

    class Kind(models.TextChoices):
        """The CI systems whose claims we know; `oidc` is any other issuer."""

        GITHUB = "github", "GitHub Actions"
        GITLAB = "gitlab", "GitLab CI"
        KUBERNETES = "kubernetes", "Kubernetes service account"
        JENKINS = "jenkins", "Jenkins"
        OIDC = "oidc", "another OIDC issuer"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=limits.NAME_CHARS)
    kind = models.CharField(max_length=12, choices=Kind)
    issuer = models.CharField(max_length=500)
    audience = models.CharField(max_length=250)
    jwks_url = models.CharField(max_length=500, blank=True)
    jwks = models.JSONField(null=True, blank=True)
    claims = models.JSONField(default=dict)
    project_id = models.UUIDField()
    role = models.CharField(max_length=16, choices=[(role, role) for role in ROLES], default="contributor")
    minutes = models.PositiveSmallIntegerField(default=15)
    is_enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(name="access_publisher_minutes", condition=Q(minutes__gte=1, minutes__lte=15)),
            models.CheckConstraint(name="access_publisher_role", condition=Q(role__in=ROLES)),
        ]

    def __str__(self) -> str:
        return self.name


class UsedToken(models.Model):
    """An identity token that was exchanged: its digest of issuer and jti, so that it can't be used twice."""

    digest = models.BinaryField(primary_key=True, max_length=32)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return bytes(self.digest).hex()[:12]
