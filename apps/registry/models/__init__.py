"""The registry room: reusable artifacts, their versions, lineage and use."""

from apps.registry.models.artifacts import Artifact, ArtifactTag
from apps.registry.models.evidence import AliasMove, Approval, Evidence
from apps.registry.models.gates import Gate, Promotion, Target
from apps.registry.models.lineage import Edge
from apps.registry.models.logged import LoggedModel, LoggedModelFile
from apps.registry.models.meanings import Meaning
from apps.registry.models.searches import SavedSearch
from apps.registry.models.signatures import Signature, SigningKey
from apps.registry.models.upkeep import BlobCheck, Manifest
from apps.registry.models.usages import Observation, Share, Usage, Watermark
from apps.registry.models.versions import Alias, ArtifactVersion, VersionFile, VersionTag

__all__ = [
    "Alias",
    "AliasMove",
    "Approval",
    "Artifact",
    "ArtifactTag",
    "ArtifactVersion",
    "BlobCheck",
    "Edge",
    "Evidence",
    "Gate",
    "LoggedModel",
    "LoggedModelFile",
    "Manifest",
    "Meaning",
    "Observation",
    "Promotion",
    "SavedSearch",
    "Share",
    "Signature",
    "SigningKey",
    "Target",
    "Usage",
    "VersionFile",
    "VersionTag",
    "Watermark",
]
