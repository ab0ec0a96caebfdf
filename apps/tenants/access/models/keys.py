"""The access room: API keys, which are service accounts.

The text is `mst_<slug>_<id>_<secret><crc>`. Only an HMAC of the secret is stored; the text is shown once.
"""

import hmac
import secrets
import uuid
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from django.contrib.postgres.functions import RandomUUID
from django.db import connection, models
from django.db.models import Q

from maestro import limits, peppers
from maestro.errors import Invalid, NotFound
from maestro.principals import RANK, ROLES, SCOPES

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
DEFAULT_DAYS = 90
MOST_DAYS = 366
SECRET_CHARS = 43


def new_id() -> str:
    """Make the public part of a key: 12 characters of Crockford's base 32."""
    return "".join(secrets.choice(ALPHABET) for _ in range(12))


def checksum(text: str) -> str:
    """Seven characters that let a scanner tell a key from chance, and a typo from a wrong key."""
    value, digits = zlib.crc32(text.encode()), ""
    for _ in range(7):
        value, rest = divmod(value, 32)
        digits += ALPHABET[rest]
    return digits


def text_of(slug: str, identity: str, secret: str) -> str:
    """Write a key as its holder gets it."""
    body = f"mst_{slug}_{identity}_{secret}"
    return body + checksum(body)


def check_wish(*, name: str, role: str, days: int, scopes: Iterable[str]) -> None:
    """Raise Invalid for a bad name, role, scope or time."""
    if role not in RANK:
        raise Invalid(f"the role must be one of {', '.join(ROLES)}", "bad_role")
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"days must be from 1 to {MOST_DAYS}", "bad_days")
    if not name.strip() or len(name) > limits.NAME_CHARS:
        raise Invalid(f"name must have 1 to {limits.NAME_CHARS} characters", "bad_name")
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise Invalid(f"scopes must be among {', '.join(SCOPES)}, not {unknown[0]!r}", "bad_scope")


@dataclass(frozen=True)
class Origin:
    """What a key comes from, and so ends with: its family, the key, person or publisher that made it, and a last day."""

    family: uuid.UUID = field(default_factory=uuid.uuid4)
    parent_id: str | None = None
    person_id: int | None = None
    publisher_id: uuid.UUID | None = None
    until: datetime | None = None


class ApiKeyQuerySet(models.QuerySet["ApiKey"]):
    """Questions about keys."""

    def lock_all(self) -> None:
        """Let one transaction at a time make or end keys, so that none is made of one that is just being ended."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ' keys', 0))")

    def not_ended(self, at: datetime) -> Self:
        """Keep keys that nobody has ended yet, be it for later."""
        return self.filter(Q(revoked_at=None) | Q(revoked_at__gt=at))

    def waiting_for_old_pepper(self, at: datetime) -> Self:
        """Keep keys that open the door by an older pepper until they are next used."""
        return self.valid(at).exclude(pepper=peppers.today())

    def with_what_came_of_them(self) -> Self:
        """Add to these keys their families, the keys that any of them made, these keys' families, and so on."""
        found: set[str] = set()
        fresh = set(self.values_list("pk", flat=True))
        everything = self.model._default_manager.all()
        while fresh:
            found |= fresh
            families = everything.filter(pk__in=fresh).values("family")
            kin = everything.filter(Q(family__in=families) | Q(parent__in=fresh))
            fresh = set(kin.values_list("pk", flat=True)) - found
        return everything.filter(pk__in=found)  # type: ignore[return-value]

    def valid(self, at: datetime) -> Self:
        """Keep keys that are neither revoked nor expired."""
        return self.filter(Q(revoked_at=None) | Q(revoked_at__gt=at), expires_at__gt=at)

    def project_id_of(self, identity: str) -> uuid.UUID:
        """Find a project's id by its slug or id; its table belongs to a room above this one. Raises NotFound."""
        with connection.cursor() as cursor:
            cursor.execute("SELECT id FROM tracking_project WHERE slug = %s OR id::text = %s", [identity, identity])
            row = cursor.fetchone()
        if row is None:
            raise NotFound(f"there is no project {identity!r}")
        return row[0]

    def issue(  # noqa: PLR0913 a key is all of these
        self,
        *,
        slug: str,
        name: str,
        role: str,
        at: datetime,
        days: int = DEFAULT_DAYS,
        lasts: timedelta | None = None,
        project_id: uuid.UUID | None = None,
        scopes: Iterable[str] = (),
        created_by: str = "",
        kind: str = "key",
        origin: Origin | None = None,
    ) -> tuple["ApiKey", str]:
        """Make a key and its text, which can't be read again. It ends no later than its origin allows.

        Raises  Invalid for a bad role, scope or time
        """
        check_wish(name=name, role=role, days=days, scopes=scopes)
        identity, secret, origin = new_id(), secrets.token_urlsafe(32), origin or Origin()
        ends = at + (lasts or timedelta(days=days))
        key = self.create(
            id=identity,
            name=name.strip(),
            role=role,
            project_id=project_id,
            scopes=sorted(scopes),
            **peppers.columns(secret),
            last_four=secret[-4:],
            expires_at=min(ends, origin.until or ends),
            kind=kind,
            created_at=at,
            created_by=created_by,
            family=origin.family,
            parent_id=origin.parent_id,
            person_id=origin.person_id,
            publisher_id=origin.publisher_id,
        )
        return key, text_of(slug, identity, secret)


class ApiKey(models.Model):
    """A service account's way in, or for some minutes a CI job's."""

    class Kind(models.TextChoices):
        """Who holds it."""

        KEY = "key", "service account"
        JOB = "job", "CI job"

    kind = models.CharField(max_length=4, choices=Kind, default=Kind.KEY, editable=False)
    id = models.CharField(primary_key=True, max_length=32, default=new_id, editable=False)
    name = models.CharField(max_length=limits.NAME_CHARS)
    role = models.CharField(max_length=16, choices=[(role, role) for role in ROLES])
    project_id = models.UUIDField(null=True, blank=True)
    scopes = models.JSONField(default=list, blank=True)
    digest = models.BinaryField(max_length=32, editable=False)
    pepper = models.CharField(max_length=8, default="", editable=False, help_text="the mark of the digest's pepper")
    last_four = models.CharField(max_length=4, editable=False)
    created_by = models.CharField(max_length=250, blank=True, editable=False)
    # A key and its successors by rotation are one family. What is deleted takes the keys that it made along.
    family = models.UUIDField(default=uuid.uuid4, db_default=RandomUUID(), db_index=True, editable=False)
    parent = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="made", editable=False)
    person = models.ForeignKey(
        "auth.User", null=True, on_delete=models.CASCADE, related_name="issued_keys", editable=False
    )
    publisher = models.ForeignKey(
        "access.TrustedPublisher", null=True, on_delete=models.CASCADE, related_name="keys", editable=False
    )
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ApiKeyQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at",)
        constraints = [models.CheckConstraint(name="access_key_known_role", condition=Q(role__in=ROLES))]

    def matches(self, secret: str) -> bool:
        """Compare in constant time, by every pepper that counts; one that fits by an older moves to today's."""
        mark = peppers.fitting(bytes(self.digest), secret)
        if mark is not None and mark != peppers.today():
            self.digest_anew(secret)
        return mark is not None

    def digest_anew(self, secret: str) -> None:
        """Keep the digest by today's pepper instead."""
        type(self).objects.filter(pk=self.pk, digest=bytes(self.digest)).update(**peppers.columns(secret))

    def is_valid(self, at: datetime) -> bool:
        """Say whether it opens the door at a time."""
        return self.expires_at > at and (self.revoked_at is None or self.revoked_at > at)

    def revoke(self, at: datetime) -> None:
        """Close it. In force everywhere within the authentication cache's five seconds."""
        self.revoked_at = at
        self.save(update_fields=["revoked_at"])

    def __str__(self) -> str:
        return f"{self.name} (…{self.last_four})"


def split_text(text: str) -> tuple[str, str, str] | None:
    """Take a key's text apart: (slug, id, secret), or None if it is no whole key."""
    parts = text.split("_", 3)
    if len(parts) != 4 or parts[0] != "mst" or len(parts[3]) != SECRET_CHARS + 7:
        return None
    secret, crc = parts[3][:SECRET_CHARS], parts[3][SECRET_CHARS:]
    if not hmac.compare_digest(crc.encode(), checksum(text[: -len(crc)]).encode()):
        return None
    return parts[1], parts[2], secret
