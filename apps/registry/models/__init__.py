"""The registry room: reusable artifacts, their versions, lineage and use."""

from apps.registry.models.artifacts import Artifact, ArtifactTag
from apps.registry.models.lineage import Edge
from apps.registry.models.logged import LoggedModel, LoggedModelFile, LoggedModelMetric
from apps.registry.models.usages import Usage
from apps.registry.models.versions import Alias, ArtifactVersion, VersionFile, VersionTag

__all__ = [
    "Alias",
    "Artifact",
    "ArtifactTag",
    "ArtifactVersion",
    "Edge",
    "LoggedModel",
    "LoggedModelFile",
    "LoggedModelMetric",
    "Usage",
    "VersionFile",
    "VersionTag",
]
