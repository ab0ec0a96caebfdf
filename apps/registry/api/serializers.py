"""The registry room's REST door: shapes of artifacts, versions, aliases and usages."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from apps.registry import notes, prompts
from apps.registry.api.prompts import PromptShown
from apps.registry.contents import NewFile
from apps.registry.models import Alias, Artifact, ArtifactVersion, Usage, VersionFile
from maestro import limits
from maestro.api.serializers import Flag, Listed, Mapped, StrictSerializer, Text

FILES_MAX, USAGES_MAX, INLINE_CHARS = 10_000, 1_000, 1_000_000
HEX = r"^[0-9a-f]{64}$"
MENTION = {
    "oneOf": [
        {
            "type": "string",
            "maxLength": 600,
            "description": "artifact@version, artifact@alias, or artifact: its newest",
        },
        {
            "type": "object",
            "required": ["artifact"],
            "properties": {
                "artifact": {"type": "string", "maxLength": limits.NAME_CHARS},
                "version": {"type": ["string", "null"], "maxLength": 255},
                "run": {"type": ["string", "null"], "maxLength": 36},
                "role": {"type": "string", "maxLength": 60},
                "observed": {"type": "string", "enum": ["api", "import"]},
                "at": {"type": ["string", "null"], "format": "date-time"},
            },
        },
    ]
}
VERSION_TEXT = {"max_length": 255, "help_text": "a number, a digest, an alias or `latest`"}


def tags() -> Mapped:
    """Notes by key."""
    return Mapped(child=Text(max_length=limits.REGISTRY_TAG_VALUE_CHARS, allow_blank=True), required=False)


class ArtifactFacts(StrictSerializer):
    """What can be said of an artifact apart from its name."""

    kind = serializers.ChoiceField(choices=Artifact.Kind.choices, required=False)
    description = Text(required=False, allow_blank=True)
    card = Text(required=False, allow_blank=True, help_text="Markdown")
    owner = Text(required=False, allow_blank=True, max_length=250)
    project = Text(required=False, allow_null=True, max_length=100, help_text="id or slug; null is shared by all")
    tags = tags()


class ArtifactNew(ArtifactFacts):
    """An artifact to be made."""

    name = Text(max_length=limits.NAME_CHARS)
    kind = serializers.ChoiceField(choices=Artifact.Kind.choices)


class AliasShown(serializers.ModelSerializer[Alias]):
    """An alias and the version it points at."""

    version = serializers.SerializerMethodField()

    class Meta:
        model = Alias
        fields = ("name", "version", "moved_at")
        read_only_fields = fields

    def get_version(self, alias: Alias) -> str:
        """Show the version's number as text, as everywhere."""
        return str(alias.version.number)


class AliasNew(StrictSerializer):
    """Where an alias shall point."""

    version = Text(max_length=64, help_text="a number or a digest")


class ArtifactShown(serializers.ModelSerializer[Artifact]):
    """An artifact."""

    tags = serializers.SerializerMethodField()
    aliases = AliasShown(many=True)
    project = serializers.SerializerMethodField()
    latest_version = serializers.SerializerMethodField()

    class Meta:
        model = Artifact
        fields = (
            "id",
            "name",
            "kind",
            "description",
            "card",
            "owner",
            "project",
            "tags",
            "aliases",
            "latest_version",
            "created_ms",
            "updated_ms",
        )
        read_only_fields = fields

    def get_tags(self, artifact: Artifact) -> dict[str, str]:
        """Show notes as one object."""
        return notes.without_kept({tag.key: tag.value for tag in artifact.tags.all()})

    def get_project(self, artifact: Artifact) -> str | None:
        """Show the owning project's id, or null for a shared artifact."""
        return str(artifact.project_id) if artifact.project_id else None

    def get_latest_version(self, artifact: Artifact) -> int | None:
        """Show the highest number ever given, or null."""
        return artifact.next_number - 1 or None


class FileNew(StrictSerializer):
    """A file of a new version: bytes that were uploaded before, or a short text."""

    path = Text(max_length=limits.PATH_BYTES)
    sha256 = Text(required=False, max_length=64)
    text = Text(required=False, allow_blank=True, max_length=INLINE_CHARS)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Ask for exactly one of the two."""
        if ("sha256" in attrs) == ("text" in attrs):
            raise serializers.ValidationError("give sha256 or text, and not both", code="one_of")
        return attrs


class VersionNew(StrictSerializer):
    """A version to be made."""

    files = FileNew(many=True, max_length=FILES_MAX)  # type: ignore[call-arg]
    description = Text(required=False, allow_blank=True)
    tags = tags()
    run = Text(required=False, allow_null=True, max_length=36, help_text="the run that made it")

    def validate_files(self, files: list[dict[str, Any]]) -> list[NewFile]:
        """A version has at least one file."""
        if not files:
            raise serializers.ValidationError("a version needs at least one file", code="empty")
        return [NewFile(f["path"], f.get("sha256", ""), f.get("text")) for f in files]


class VersionFacts(StrictSerializer):
    """What may change about a version: never its files."""

    description = Text(required=False, allow_blank=True)
    tags = tags()
    state = serializers.ChoiceField(choices=["ready", "archived"], required=False)


class VersionShown(serializers.ModelSerializer[ArtifactVersion]):
    """A version."""

    artifact = serializers.CharField(source="artifact.name")
    version = serializers.SerializerMethodField()
    run = serializers.CharField(source="run_hex")
    tags = serializers.SerializerMethodField()
    aliases = serializers.SerializerMethodField()
    prompt = serializers.SerializerMethodField()

    class Meta:
        model = ArtifactVersion
        fields = (
            "id",
            "artifact",
            "version",
            "digest",
            "state",
            "description",
            "run",
            "source",
            "tags",
            "aliases",
            "prompt",
            "created_by",
            "created_ms",
            "updated_ms",
        )
        read_only_fields = fields

    def get_version(self, version: ArtifactVersion) -> str:
        """Show the number as text, as MLflow does."""
        return str(version.number)

    def get_tags(self, version: ArtifactVersion) -> dict[str, str]:
        """Show notes as one object; those that hold a prompt's template are shown as `prompt`."""
        return notes.without_kept({tag.key: tag.value for tag in version.tags.all()})

    @extend_schema_field(PromptShown(allow_null=True))
    def get_prompt(self, version: ArtifactVersion) -> dict[str, Any] | None:
        """Show a prompt's template, or null."""
        template = prompts.of(version)
        return dict(PromptShown(template).data) if template else None

    def get_aliases(self, version: ArtifactVersion) -> list[str]:
        """List the aliases that point here."""
        return sorted(alias.name for alias in version.aliases.all())


class FileShown(serializers.ModelSerializer[VersionFile]):
    """A file of a version."""

    sha256 = serializers.CharField(source="blob_id")
    size_bytes = serializers.IntegerField(source="blob.size_bytes")

    class Meta:
        model = VersionFile
        fields = ("path", "sha256", "size_bytes")
        read_only_fields = fields


class BlobShown(serializers.Serializer[Any]):
    """Bytes that are here."""

    sha256 = serializers.CharField()
    size_bytes = serializers.IntegerField()


class UsageNew(StrictSerializer):
    """A usage to be recorded."""

    artifact = Text(max_length=limits.NAME_CHARS)
    version = Text(required=False, allow_null=True, **VERSION_TEXT)
    run = Text(required=False, allow_null=True, max_length=36)
    role = Text(required=False, allow_blank=True, max_length=60)
    observed = serializers.ChoiceField(choices=["api", "import"], required=False)
    at = serializers.DateTimeField(required=False, allow_null=True)


@extend_schema_field(MENTION)
class Mentioned(serializers.Field[Any, Any, Any, Any]):
    """A usage, as an object or in short: artifact@version."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Read either form."""
        if isinstance(data, str):
            return {"mention": Text(max_length=600).run_validation(data)}
        inner = UsageNew(data=data)
        inner.is_valid(raise_exception=True)
        return dict(inner.validated_data)

    def to_representation(self, value: Any) -> Any:
        """Never shown."""
        return value


class UsagesNew(StrictSerializer):
    """Usages of a project."""

    usages = Listed(child=Mentioned(), max_length=USAGES_MAX)
    replace = Flag(required=False, help_text="forget what was said before and is not said now")


class UsageShown(serializers.ModelSerializer[Usage]):
    """A usage."""

    artifact = serializers.CharField(source="version.artifact.name")
    version = serializers.SerializerMethodField()
    project = serializers.CharField(source="project.slug")
    run = serializers.SerializerMethodField()

    class Meta:
        model = Usage
        fields = ("artifact", "version", "project", "run", "role", "observed", "at")
        read_only_fields = fields

    def get_version(self, usage: Usage) -> str:
        """Show the version's number."""
        return str(usage.version.number)

    def get_run(self, usage: Usage) -> str | None:
        """Show the run's id, or null for a project's own usage."""
        return usage.run_id.hex if usage.run_id else None


class UsagesShown(serializers.Serializer[Any]):
    """What became of a list of usages."""

    added = serializers.IntegerField()
    kept = serializers.IntegerField()
    removed = serializers.IntegerField()
    usages = UsageShown(many=True)
