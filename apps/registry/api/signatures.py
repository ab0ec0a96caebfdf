"""The registry room's REST door: what was signed about versions, and the keys that are trusted to."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from apps.registry.models import ArtifactVersion, Signature, SigningKey
from apps.registry.scoping import artifacts_for, changeable
from apps.registry.signatures import keeping, trust
from apps.tenants.access.idempotency import IdempotentPosts
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.api.permissions import asking, reading_and_writing
from maestro.api.serializers import StrictSerializer, Text
from maestro.errors import NotFound


class SigningKeyNew(StrictSerializer):
    """A key to be trusted."""

    name = Text(max_length=limits.NAME_CHARS)
    kind = serializers.ChoiceField(choices=SigningKey.Kind.choices)
    pem = Text(max_length=limits.PEM_CHARS, help_text="PEM: a public key, or the certificate of an authority")


class SigningKeyShown(serializers.ModelSerializer[SigningKey]):
    """A key that a tenant trusts, or trusted."""

    class Meta:
        model = SigningKey
        fields = ("id", "name", "kind", "pem", "fingerprint", "created_by", "created_at", "ended_at")
        read_only_fields = fields


class SignatureShown(serializers.ModelSerializer[Signature]):
    """Something signed about a version."""

    key = serializers.UUIDField(source="key_id")
    is_trusted = serializers.BooleanField(help_text="false once its key is trusted no more")

    class Meta:
        model = Signature
        fields = (
            "id",
            "kind",
            "predicate_type",
            "signer",
            "key",
            "is_trusted",
            "facts",
            "sha256",
            "created_by",
            "created_at",
        )
        read_only_fields = fields


class SigningKeyList(IdempotentPosts, GenericAPIView[SigningKey]):
    """The keys whose signatures this tenant believes, and new ones."""

    required_role = reading_and_writing(write="admin")
    serializer_class = SigningKeyShown
    page_ordering = ("name", "id")

    @extend_schema(operation_id="signing_keys_list")
    def get(self, request: Request) -> Response:
        """List them by name, ended ones too."""
        page = self.paginate_queryset(SigningKey.objects.all())
        return self.get_paginated_response(SigningKeyShown(page, many=True).data)

    @extend_schema(operation_id="signing_keys_create", request=SigningKeyNew, responses={201: SigningKeyShown})
    def post(self, request: Request) -> Response:
        """Trust a public key (ECDSA, Ed25519, RSA), or an authority under which signers have certificates."""
        asked = SigningKeyNew(data=request.data)
        asked.is_valid(raise_exception=True)
        fields = asked.validated_data
        row = trust.trust(fields["name"], fields["kind"], fields["pem"], acting(request))
        return Response(SigningKeyShown(row).data, status=201)


class SigningKeyDetail(GenericAPIView[SigningKey]):
    """One trusted key."""

    required_role = reading_and_writing(write="admin")
    serializer_class = SigningKeyShown

    @extend_schema(operation_id="signing_keys_get")
    def get(self, request: Request, signing_key: Any) -> Response:
        """Show it with its PEM, to verify with it elsewhere."""
        found = SigningKey.objects.filter(pk=signing_key).first()
        if found is None:
            raise NotFound("there is no such signing key")
        return Response(SigningKeyShown(found).data)

    @extend_schema(operation_id="signing_keys_delete", responses={204: None})
    def delete(self, request: Request, signing_key: Any) -> Response:
        """Trust it no more. What it signed stays readable and counts no longer, at gates too."""
        trust.end(signing_key, acting(request), timezone.now())
        return Response(status=204)


class VersionSignatures(GenericAPIView[Signature]):
    """What was signed about a version."""

    required_role = reading_and_writing()
    serializer_class = SignatureShown
    page_ordering = ("-created_at", "-id")

    @extend_schema(operation_id="version_signatures_list")
    def get(self, request: Request, artifact: str, version: str) -> Response:
        """List a version's signatures, newest first."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        page = self.paginate_queryset(found.signatures.told())
        return self.get_paginated_response(SignatureShown(page, many=True).data)

    @extend_schema(
        operation_id="version_signatures_create",
        request=OpenApiTypes.OBJECT,
        responses={200: SignatureShown, 201: SignatureShown},
    )
    def post(self, request: Request, artifact: str, version: str) -> Response:
        """Keep a Sigstore bundle (as `model_signing sign` writes) or a DSSE envelope with an in-toto statement.

        It is kept if a trusted key made it and it speaks of this version's files; the same one again answers 200.
        """
        found = ArtifactVersion.objects.fetch(changeable(asking(request), artifact), version)
        row, is_new = keeping.keep(found, request.data, acting(request))
        return Response(SignatureShown(row).data, status=201 if is_new else 200)


class VersionSignature(GenericAPIView[Signature]):
    """One signature, as it was sent."""

    required_role = reading_and_writing()
    serializer_class = SignatureShown

    @extend_schema(operation_id="version_signatures_get", responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, artifact: str, version: str, signature: Any) -> Response:
        """Answer the bundle or envelope, to be verified elsewhere."""
        found = ArtifactVersion.objects.fetch(artifacts_for(asking(request)).fetch(artifact), version)
        row = found.signatures.filter(pk=signature).first()
        if row is None:
            raise NotFound("there is no such signature")
        return Response(row.document)
