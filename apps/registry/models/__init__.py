"""The registry room: reusable artifacts, their versions, lineage and use."""

from apps.registry.models.artifacts import Artifact, ArtifactTag
from apps.registry.models.lineage import Edge
from apps.registry.models.logged import LoggedModel, LoggedModelFile
from apps.registry.models.usages import Observation, Usage, Watermark
from apps.registry.models.versions import Alias, ArtifactVersion, VersionFile, VersionTag

__all__ = [
    "Alias",
    "Artifact",
    "ArtifactTag",
    "ArtifactVersion",
    "Edge",
    "LoggedModel",
    "LoggedModelFile",
    "Observation",
    "Usage",
    "VersionFile",
    "VersionTag",
    "Watermark",
]
