"""The registry room: where a client says that a model version comes from, and what that may be.

Nothing here is ever opened. A place in the artifact proxy has to lie in the run or logged model that is named with
it; a cloud address is kept as text for the client's own keys.
Source  MLflow CVE-2024-1483, -1558, -3848; PR #10653, #11473
"""

import re
from dataclasses import dataclass, field

from apps.registry.models import Artifact, ArtifactVersion, LoggedModel
from apps.registry.models.logged import MODEL_ID
from apps.registry.scoping import artifacts_for
from apps.tracking.files.paths import clean_artifact_path
from apps.tracking.models import Blob, Run
from apps.tracking.scoping import experiments_for, runs_for
from maestro.errors import Invalid, NotFound
from maestro.principals import Principal

CLOUDS = frozenset(
    ("s3", "s3a", "s3n", "gs", "wasb", "wasbs", "abfs", "abfss", "adl", "hdfs", "viewfs", "dbfs", "r2", "b2", "oci")
)
SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
PROXY = "mlflow-artifacts:"
SOURCE_CHARS = 2_000


@dataclass
class Origin:
    """What a source turned out to be: where a client downloads from, and the files as they are now."""

    download_uri: str
    run: Run | None = None
    model: LoggedModel | None = None
    files: list[tuple[str, Blob]] = field(default_factory=list)


def resolve(
    source: str, run: Run | None, model: LoggedModel | None, *, principal: Principal, run_hex: str = ""
) -> Origin:
    """Find out what a source means to one who asks; `run_hex` is the run's id as it was said. Raises Invalid."""
    check_text(source)
    scheme = SCHEME.match(source)
    if scheme is None:
        raise refused(source, "a local path is not reachable for others")
    name = scheme[1].lower()
    if name == "models":
        return from_registry(source, run, model, principal=principal)
    if name == "runs":
        return from_run_uri(source, run, run_hex)
    if name == "mlflow-artifacts":
        return from_proxy(source, run, model)
    if name in CLOUDS:
        return Origin(source, run, model)
    raise refused(source, f"{name}: is not a place that models come from")


def check_text(source: str) -> None:
    """Refuse what one parser could read otherwise than another."""
    if len(source) > SOURCE_CHARS:
        raise refused(source, f"it is longer than {SOURCE_CHARS} characters")
    if any(char in source for char in "?#;%\\") or any(ord(char) < 32 or ord(char) == 127 for char in source):
        raise refused(source, "it holds ? # ; % a backslash or a control character")
    if ".." in source.split("/"):
        raise refused(source, "it climbs with ..")


def from_proxy(source: str, run: Run | None, model: LoggedModel | None) -> Origin:
    """Accept a folder of the run or logged model that came with it."""
    place = "/" + source[len(PROXY) :].lstrip("/")
    if not source.startswith((f"{PROXY}/",)) or source.startswith(f"{PROXY}//"):
        raise refused(source, "write it as mlflow-artifacts:/<experiment>/…")
    for root, owner in ((model and model.artifact_uri, model), (run and run.artifact_uri, run)):
        if not root or not owner:
            continue
        inside = below(place, root[len(PROXY) :])
        if inside is not None:
            return Origin(source, run, model, files_below(owner, inside))
    raise refused(source, "it does not lie in the run or logged model that is named with it")


def from_run_uri(source: str, run: Run | None, run_hex: str) -> Origin:
    """Accept runs:/<run>/path if the run is named as well. Clients resolve it themselves; of another server's run we know nothing."""
    identity, _, path = source.removeprefix("runs:").lstrip("/").partition("/")
    known = {run.pk.hex, str(run.pk)} if run else {run_hex}
    if not identity or identity not in known:
        raise refused(source, "name its run as run_id")
    inside = clean_artifact_path(path) if path else ""
    return Origin(source, run, None, files_below(run, inside) if run else [])


def from_registry(source: str, run: Run | None, model: LoggedModel | None, *, principal: Principal) -> Origin:
    """Accept models:/m-<id>, and models:/name/version, which copies that version's source."""
    rest = source.removeprefix("models:").lstrip("/")
    if MODEL_ID.fullmatch(rest):
        try:
            seen = LoggedModel.objects.active().filter(experiment__in=experiments_for(principal))
            found = seen.select_related("experiment", "run").fetch(rest)
        except NotFound as error:
            raise refused(source, "there is no such logged model") from error
        if model is not None and model.pk != found.pk:
            raise refused(source, "model_id names another logged model")
        return Origin(found.artifact_uri, run or seen_run(found.run, principal), found, files_below(found, ""))
    name, _, version = rest.rpartition("/")
    try:
        artifact = artifacts_for(principal).get(name=name, kind=Artifact.Kind.MODEL)
        copied = ArtifactVersion.objects.select_related("run", "logged_model").fetch(artifact, version)
    except (Artifact.DoesNotExist, NotFound) as error:
        raise refused(source, "there is no such version") from error
    files = [(file.path, file.blob) for file in copied.files.select_related("blob")]
    origin = model or seen_model(copied.logged_model, principal)
    return Origin(copied.download_uri, run or seen_run(copied.run, principal), origin, files)


def seen_run(run: Run | None, principal: Principal) -> Run | None:
    """The run that something came from, if it is within reach: a copy neither tells of it nor binds it else."""
    return runs_for(principal).filter(pk=run.pk).first() if run else None


def seen_model(model: LoggedModel | None, principal: Principal) -> LoggedModel | None:
    """The logged model that a version came from, if it is within reach."""
    within = LoggedModel.objects.filter(experiment__in=experiments_for(principal)).select_related("experiment")
    return within.filter(pk=model.pk).first() if model else None


def below(place: str, root: str) -> str | None:
    """Return a path within a root, empty for the root itself, or None if it lies elsewhere."""
    if place.rstrip("/") == root:
        return ""
    if not place.startswith(f"{root}/"):
        return None
    return clean_artifact_path(place[len(root) + 1 :].rstrip("/"))


def files_below(owner: Run | LoggedModel, inside: str) -> list[tuple[str, Blob]]:
    """List the files of a folder as they are now, by their paths within it."""
    rows = owner.files.select_related("blob")
    if not inside:
        return [(file.path, file.blob) for file in rows]
    return [(file.path[len(inside) + 1 :], file.blob) for file in rows.filter(path__startswith=f"{inside}/")]


def refused(source: str, reason: str) -> Invalid:
    """Say why a source is not accepted."""
    facts = {"source": source[:200], "reason": reason}
    return Invalid(f"no version comes from {source[:200]!r}: {reason}", "bad_source", facts=facts)
