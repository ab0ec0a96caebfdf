"""The tenants room: who lives here, under which host, in which schema."""

import re
from typing import Self

from django.core.exceptions import ValidationError
from django.db import models
from django_tenants.models import DomainMixin, TenantMixin

from maestro import limits
from maestro.clock import uuid7

SLUG = re.compile(r"[a-z](?:[a-z0-9]|-(?=[a-z0-9])){1,39}")
RESERVED = frozenset(
    {"public", "www", "api", "admin", "static", "metrics", "localhost", "information-schema", "template"}
)


def check_slug(slug: str) -> None:
    """Raise ValidationError unless `slug` can be a host label, a schema and a role."""
    if not SLUG.fullmatch(slug):
        raise ValidationError(
            "a slug is 2 to 40 lower-case letters, digits and single hyphens, and begins with a letter"
        )
    if slug in RESERVED or slug.startswith("pg-"):
        raise ValidationError(f"{slug!r} is reserved")


class TenantQuerySet(models.QuerySet["Tenant"]):
    """Questions about tenants."""

    def active(self) -> Self:
        """Keep those that take work."""
        return self.filter(state=Tenant.State.ACTIVE)


class Tenant(TenantMixin):
    """A team, or a company: its own schema, role, people and bytes."""

    class State(models.TextChoices):
        """Where a tenant's life stands."""

        PROVISIONING = "provisioning"
        ACTIVE = "active"
        SUSPENDED = "suspended"
        MAINTENANCE = "maintenance"
        ERASING = "erasing"

    auto_create_schema = False
    auto_drop_schema = False

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    slug = models.CharField(max_length=limits.SLUG_CHARS, unique=True, validators=[check_slug])
    name = models.CharField(max_length=200)
    state = models.CharField(max_length=16, choices=State, default=State.PROVISIONING)
    quota_bytes = models.BigIntegerField(
        null=True, blank=True, help_text="bytes that it may keep, each content once; empty: no bound"
    )
    schema_head = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ("slug",)

    @property
    def is_active(self) -> bool:
        """Say whether it takes requests and tasks."""
        return self.state == self.State.ACTIVE

    def __str__(self) -> str:
        return self.slug


def schema_for(slug: str) -> str:
    """Name a slug's schema: hyphens can't stand in an unquoted name, so they become underscores."""
    return slug.replace("-", "_")


class Domain(DomainMixin):
    """A host name that leads to one tenant, matched exactly and in lower case."""

    class Meta:
        ordering = ("domain",)


class TemplateSchema(models.Model):
    """A tenant's empty schema as SQL, one row for each head of the migrations."""

    head = models.CharField(max_length=64, primary_key=True)
    ddl = models.TextField()
    made_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.head[:12]
