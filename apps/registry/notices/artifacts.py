"""The registry room: what is told to others of artifacts, versions and aliases, in the transaction of the act.

MLflow's clients have events of their own for some of it, whose data stand below `mlflow`.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from apps.registry import prompts
from apps.registry.models import Artifact, ArtifactVersion
from apps.tracking.notices.events import PAIRS, Happening, Told, cut, tell, tell_all

# MLflow's words for what is noted on a model or a prompt, and on a version of one. It has none for notes on models.
TAGGED = {
    ("model", True): "model_version_tag",
    ("prompt", False): "prompt_tag",
    ("prompt", True): "prompt_version_tag",
}


def mlflow_name(artifact: Artifact, of_model: str, of_prompt: str) -> str:
    """MLflow's name of what happened to a model or to a prompt; empty for other kinds, which its clients don't see."""
    return {Artifact.Kind.MODEL: of_model, Artifact.Kind.PROMPT: of_prompt}.get(Artifact.Kind(artifact.kind), "")


def pairs(tags: Mapping[str, str]) -> dict[str, str]:
    """As many notes as are told, each cut; not those that say what a prompt is."""
    told = [(key, value) for key, value in tags.items() if key not in prompts.KEPT]
    return {key: cut(value) for key, value in told[:PAIRS]}


def made(artifact: Artifact, tags: Mapping[str, str], at: datetime) -> None:
    """An artifact was made."""
    words = {"name": artifact.name, "tags": pairs(tags), "description": cut(artifact.description)}
    data = {"artifact": artifact.name, "kind": artifact.kind, "mlflow": words}
    name = mlflow_name(artifact, "registered_model.created", "prompt.created")
    tell(Told(Happening.ARTIFACT_CREATED, artifact.project_id, data, mlflow_event=name), at=at)


def registered(version: ArtifactVersion, tags: Mapping[str, str], at: datetime) -> None:
    """A version was made. Where it came from is told to who may see that: its project, or who sees all."""
    artifact = version.artifact
    data = named(version) | {"digest": version.digest}
    words = {"name": artifact.name, "version": str(version.number), "tags": pairs(tags)}
    words |= {"description": cut(version.description)}
    if artifact.kind == Artifact.Kind.PROMPT:
        words |= {"template": cut(tags.get(prompts.TEXT, ""))}
    origin = {"run_id": version.run_hex or None}
    whole = origin | {"mlflow": words | origin | {"source": version.source}}
    narrow = {"run_id": None, "mlflow": words | {"run_id": None, "source": ""}}
    name = mlflow_name(artifact, "model_version.created", "prompt_version.created")
    told = data | (whole if is_of_home(version) else narrow)
    tell(Told(Happening.VERSION_REGISTERED, artifact.project_id, told, whole, name), at=at)


def is_of_home(version: ArtifactVersion) -> bool:
    """Say whether the run and the logged model that a version came from are of its artifact's own project."""
    origins = [one.experiment.project_id for one in (version.run, version.logged_model) if one is not None]
    return all(home == version.artifact.project_id for home in origins)


def named(version: ArtifactVersion) -> dict[str, Any]:
    """Name a version."""
    return {"artifact": version.artifact.name, "kind": version.artifact.kind, "version": str(version.number)}


def noted(row: Artifact | ArtifactVersion, tags: Mapping[str, str | None]) -> None:
    """Notes were put on an artifact or a version, or, where there is no value, taken off."""
    is_version = isinstance(row, ArtifactVersion)
    artifact = row.artifact if isinstance(row, ArtifactVersion) else row
    kinds = (Happening.VERSION_TAGGED, Happening.VERSION_UNTAGGED)
    kinds = kinds if is_version else (Happening.ARTIFACT_TAGGED, Happening.ARTIFACT_UNTAGGED)
    entity = TAGGED.get((artifact.kind, is_version), "")
    data = named(row) if isinstance(row, ArtifactVersion) else {"artifact": row.name, "kind": row.kind}
    number = {"version": data["version"]} if is_version else {}
    what = []
    for key, value in list(tags.items())[:PAIRS]:
        note = {"key": key} | ({} if value is None else {"value": cut(value)})
        words = {"mlflow": {"name": artifact.name, **number, **note}}
        name = f"{entity}.{'deleted' if value is None else 'set'}" if entity else ""
        what.append(Told(kinds[value is None], artifact.project_id, data | note | words, mlflow_event=name))
    tell_all(what)


def moved(version: ArtifactVersion, alias: str, before: str, at: datetime) -> None:
    """An alias was set or moved."""
    artifact = version.artifact
    data = named(version) | {"alias": alias, "before": before or None}
    data["mlflow"] = {"name": artifact.name, "alias": alias, "version": str(version.number)}
    name = mlflow_name(artifact, "model_version_alias.created", "prompt_alias.created")
    tell(Told(Happening.ALIAS_MOVED, artifact.project_id, data, mlflow_event=name), at=at)


def taken_away(artifact: Artifact, alias: str, at: datetime) -> None:
    """An alias was taken away."""
    words = {"mlflow": {"name": artifact.name, "alias": alias}}
    name = mlflow_name(artifact, "model_version_alias.deleted", "prompt_alias.deleted")
    data = {"artifact": artifact.name, "kind": artifact.kind, "alias": alias} | words
    tell(Told(Happening.ALIAS_DELETED, artifact.project_id, data, mlflow_event=name), at=at)
