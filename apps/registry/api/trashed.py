"""The registry room's REST door: how what lies in the trash is shown."""

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.trash.pruning import goes_at
from maestro.clock import from_ms


class TrashedArtifact(serializers.Serializer[Any]):
    """An artifact in the trash, with all its versions. It is restored by its id: its name may be another's by now."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    kind = serializers.ChoiceField(choices=Artifact.Kind.values)
    project = serializers.UUIDField(allow_null=True)
    deleted_at = serializers.DateTimeField()
    deleted_by = serializers.CharField()
    goes_at = serializers.DateTimeField(help_text="from then on it goes for ever")


class TrashedVersion(serializers.Serializer[Any]):
    """A version in the trash whose artifact is not."""

    id = serializers.UUIDField()
    artifact = serializers.CharField()
    version = serializers.CharField()
    digest = serializers.CharField()
    deleted_at = serializers.DateTimeField()
    deleted_by = serializers.CharField()
    goes_at = serializers.DateTimeField(help_text="from then on it goes for ever")


def artifacts_shown(rows: Iterable[Artifact]) -> Any:
    """Show artifacts in the trash."""
    found = list(rows)
    ends = goes_at(found)
    return TrashedArtifact(
        [
            {
                "id": row.pk,
                "name": row.name,
                "kind": row.kind,
                "project": row.project_id,
                "deleted_at": from_ms(row.deleted_ms or 0),
                "deleted_by": row.deleted_by,
                "goes_at": ends[row.pk],
            }
            for row in found
        ],
        many=True,
    ).data


def versions_shown(rows: Iterable[ArtifactVersion]) -> Any:
    """Show versions in the trash."""
    found = list(rows)
    ends = goes_at(found)
    return TrashedVersion(
        [
            {
                "id": row.pk,
                "artifact": row.artifact.name,
                "version": str(row.number),
                "digest": row.digest,
                "deleted_at": from_ms(row.deleted_ms or 0),
                "deleted_by": row.deleted_by,
                "goes_at": ends[row.pk],
            }
            for row in found
        ],
        many=True,
    ).data
