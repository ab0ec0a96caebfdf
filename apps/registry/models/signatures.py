"""The registry room: the keys that a tenant trusts, and what was signed with them about versions."""

from typing import Any, Self

import orjson
from django.db import models

from apps.registry.models.versions import ArtifactVersion
from maestro import limits
from maestro.clock import uuid7


class SigningKeyQuerySet(models.QuerySet["SigningKey"]):
    """Questions about trusted keys."""

    def trusted(self) -> Self:
        """Keep those that are trusted now."""
        return self.filter(ended_at=None)


class SigningKey(models.Model):
    """A public key, or a certificate authority, whose signatures this tenant believes."""

    class Kind(models.TextChoices):
        """What the PEM holds."""

        PUBLIC_KEY = "public_key"
        AUTHORITY = "authority"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    name = models.CharField(max_length=limits.NAME_CHARS)
    kind = models.CharField(max_length=20, choices=Kind)
    pem = models.TextField(help_text="PEM: a public key, or the certificate of an authority")
    fingerprint = models.CharField(max_length=64, help_text="sha256 of its DER form")
    created_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = SigningKeyQuerySet.as_manager()

    class Meta:
        ordering = ("name", "id")
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"], condition=models.Q(ended_at=None), name="registry_one_trusted_fingerprint"
            ),
            models.UniqueConstraint(
                fields=["name"], condition=models.Q(ended_at=None), name="registry_one_trusted_key_name"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SignatureQuerySet(models.QuerySet["Signature"]):
    """Questions about signatures."""

    def valid(self) -> Self:
        """Keep those whose key is still trusted."""
        return self.filter(key__ended_at=None)

    def told(self) -> Self:
        """What a list tells of each: not what was signed itself, of which there may be megabytes."""
        return self.select_related("key").defer("text")

    def over_files(self) -> Self:
        """Keep those that vouch for a version's files: valid ones that were made over them."""
        return self.valid().filter(kind=Signature.Kind.MODEL_SIGNATURE)


class Signature(models.Model):
    """Something signed about a version, verified when it came: it covers the files that the version has."""

    class Kind(models.TextChoices):
        """What was signed."""

        MODEL_SIGNATURE = "model_signature"
        ATTESTATION = "attestation"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(ArtifactVersion, on_delete=models.CASCADE, related_name="signatures")
    kind = models.CharField(max_length=20, choices=Kind)
    predicate_type = models.CharField(max_length=500)
    key = models.ForeignKey(SigningKey, on_delete=models.PROTECT, related_name="signatures")
    signer = models.CharField(max_length=500, help_text="the key's name, or the subject of the certificate that signed")
    facts = models.JSONField(default=dict, help_text="run, commit and inputs, as an attestation tells them")
    text = models.TextField(help_text="the bundle or envelope as JSON")
    sha256 = models.CharField(max_length=64, help_text="of the text")
    created_by = models.CharField(max_length=250, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SignatureQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["version", "sha256"], name="registry_one_signature_a_text")]

    @property
    def document(self) -> Any:
        """The bundle or envelope."""
        return orjson.loads(self.text)

    @property
    def is_trusted(self) -> bool:
        """Whether its key is still trusted."""
        return self.key.ended_at is None

    def __str__(self) -> str:
        return f"{self.kind} by {self.signer}"
