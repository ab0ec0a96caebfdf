"""The access room: how people sign in by an identity provider, and the tokens that people's programs hold."""

import hashlib
import secrets
import uuid
from datetime import datetime
from typing import Self

from django.core.validators import URLValidator
from django.db import models

from maestro.clock import uuid7
from maestro.principals import ROLES

web_address = URLValidator(schemes=["https", "http"])
ROLE_CHOICES = [(role, role) for role in ROLES]


class OidcProvider(models.Model):
    """A tenant's identity provider. The client's secret is encrypted and never shown again."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=200)
    issuer = models.CharField(validators=[web_address], max_length=500)
    client_id = models.CharField(max_length=250)
    sealed_secret = models.BinaryField(editable=False, default=b"")
    authorization_url = models.CharField(validators=[web_address], max_length=500, blank=True)
    token_url = models.CharField(validators=[web_address], max_length=500, blank=True)
    userinfo_url = models.CharField(validators=[web_address], max_length=500, blank=True)
    jwks_url = models.CharField(validators=[web_address], max_length=500, blank=True)
    logout_url = models.CharField(validators=[web_address], max_length=500, blank=True)
    scopes = models.CharField(max_length=250, default="openid email profile")
    groups_claim = models.CharField(max_length=100, default="groups", blank=True)
    group_roles = models.JSONField(default=dict, blank=True, help_text='{"their group": "our role"}')
    default_role = models.CharField(max_length=16, choices=ROLE_CHOICES, blank=True, help_text="empty: no entry")
    makes_people = models.BooleanField(default=True, help_text="make a person at the first sign-in")
    links_by_email = models.BooleanField(default=False, help_text="join a person by a verified e-mail address")
    is_enabled = models.BooleanField(default=True)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


class OidcLink(models.Model):
    """A person of ours as a provider knows them: (iss, sub), which no e-mail address can take over."""

    user = models.ForeignKey("auth.User", on_delete=models.CASCADE, related_name="oidc_links")
    issuer = models.CharField(max_length=500)
    subject = models.CharField(max_length=255)
    linked_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="access_one_person_a_subject")]

    def __str__(self) -> str:
        return f"{self.user} by {self.issuer}"


class RefreshTokenQuerySet(models.QuerySet["RefreshToken"]):
    """Questions about refresh tokens."""

    def of_text(self, text: str) -> Self:
        """Find by the text's digest."""
        return self.filter(digest=hashlib.sha256(text.encode()).digest())

    def issue(self, *, user_id: int, family: uuid.UUID, expires_at: datetime) -> str:
        """Make a token and return its text, which is not stored."""
        text = f"msr_{secrets.token_urlsafe(32)}"
        digest = hashlib.sha256(text.encode()).digest()
        self.create(user_id=user_id, family=family, digest=digest, expires_at=expires_at)
        return text


class RefreshToken(models.Model):
    """Lets a person's program ask for the next access token, once. Used twice, its whole family is revoked."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    user = models.ForeignKey("auth.User", on_delete=models.CASCADE, related_name="refresh_tokens")
    family = models.UUIDField(db_index=True)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    objects = RefreshTokenQuerySet.as_manager()

    def __str__(self) -> str:
        return f"refresh token of {self.user}"
