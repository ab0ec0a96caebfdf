"""The registry room: models that runs log: made, filled with files, finished; params never change."""

import secrets
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from django.db import transaction

from apps.registry.actions import Act
from apps.registry.models import ArtifactVersion, Edge, LoggedModel
from apps.registry.models.logged import MODEL_ID, no_model
from apps.tenants.access.audit.recording import record
from apps.tracking.files.folders import Root
from apps.tracking.files.quotas import share_of
from apps.tracking.models import Experiment, Run, RunModel
from apps.tracking.runs import documents
from maestro.errors import Invalid, NotFound
from maestro.principals import Actor, Reach

FORBIDDEN = set("/:.%\"'")
# The log keeps the head of a long note.
LOGGED_CHARS = 1_000


@dataclass(frozen=True)
class NewModel:
    """A logged model to be made."""

    experiment: Experiment
    name: str = ""
    model_type: str = ""
    run: Run | None = None
    run_hex: str = ""
    params: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)


def make(new: NewModel, *, at_ms: int) -> LoggedModel:
    """Make a logged model, pending. Raises Invalid for a bad name or a deleted experiment."""
    if new.experiment.deleted_ms is not None:
        raise Invalid(f"the experiment {new.experiment.pk} is deleted; it takes no models", "deleted")
    name = new.name or f"model-{secrets.token_hex(4)}"
    if FORBIDDEN & set(name):
        raise Invalid("a model's name must not hold / : . % or quotation marks", "bad_name")
    with transaction.atomic():
        model = LoggedModel.objects.create(
            experiment=new.experiment,
            run=new.run,
            run_hex=new.run.pk.hex if new.run else new.run_hex,
            name=name,
            model_type=new.model_type,
            params=new.params,
            tags=new.tags,
            created_ms=at_ms,
            updated_ms=at_ms,
        )
        if new.run is not None:
            Edge.objects.create(from_run=new.run, to_model=model, kind="produced")
    return model


def within_reach(ids: Collection[str], projects: Reach) -> set[str]:
    """Keep the ids of logged models that somebody reaches, deleted ones as well."""
    keys = [uuid.UUID(match[1]) for identity in ids if (match := MODEL_ID.fullmatch(identity))]
    found = LoggedModel.objects.filter(pk__in=keys)
    if projects is not None:
        found = found.filter(experiment__project__in=projects)
    return {f"m-{key.hex}" for key in found.values_list("pk", flat=True)}


def hold(model: LoggedModel) -> LoggedModel:
    """Lock a model's row and read it anew. Raises NotFound if it went meanwhile."""
    found = LoggedModel.objects.select_for_update().filter(pk=model.pk).first()
    if found is None:
        raise no_model(model.model_id)
    return found


def finish(model: LoggedModel, status: str, *, at_ms: int) -> LoggedModel:
    """Say whether the upload is done. Again is harmless. Raises Invalid for any other status."""
    if status not in (LoggedModel.Status.READY, LoggedModel.Status.UPLOAD_FAILED):
        raise Invalid(f"a model is finished as READY or UPLOAD_FAILED, not as {status[:60]!r}", "bad_status")
    with transaction.atomic():
        held = hold(model)
        held.status, held.updated_ms = status, at_ms
        held.save(update_fields=["status", "updated_ms"])
    return held


def set_tags(model: LoggedModel, tags: dict[str, str], *, at_ms: int) -> LoggedModel:
    """Write notes on a model."""
    with transaction.atomic():
        held = hold(model)
        held.tags, held.updated_ms = held.tags | tags, at_ms
        held.save(update_fields=["tags", "updated_ms"])
    return held


def untag(model: LoggedModel, key: str, by: Actor, *, at_ms: int) -> None:
    """Take a note off. Raises NotFound if there is none."""
    with transaction.atomic():
        held = hold(model)
        if key not in held.tags:
            facts = {"tag": key[:100], "logged_model": model.model_id}
            raise NotFound(f"the model {model.model_id} has no tag {key[:100]!r}", facts=facts)
        before = {"tags": {key: str(held.tags[key])[:LOGGED_CHARS]}}
        held.tags = {name: value for name, value in held.tags.items() if name != key}
        held.updated_ms = at_ms
        held.save(update_fields=["tags", "updated_ms"])
        record(by, Act.LOGGED_MODEL_UNTAG, subject=held, before=before)


def delete(model: LoggedModel, by: Actor, *, at_ms: int) -> None:
    """Delete a logged model; its versions stay. Raises NotFound if it went meanwhile."""
    with transaction.atomic():
        held = hold(model)
        held.deleted_ms = at_ms
        held.save(update_fields=["deleted_ms"])
        record(by, Act.LOGGED_MODEL_DELETE, subject=held, before={"name": held.name})


def add_params(model: LoggedModel, params: dict[str, str], *, at_ms: int) -> None:
    """Add params. The same again is harmless; raises Invalid for another value of a known one."""
    with transaction.atomic():
        held = hold(model)
        changed = [key for key, value in params.items() if held.params.get(key, value) != value]
        if changed:
            key = changed[0]
            detail = f"the param {key!r} is {held.params[key]!r} already and never changes"
            raise Invalid(detail, "param_changed")
        held.params, held.updated_ms = held.params | params, at_ms
        held.save(update_fields=["params", "updated_ms"])


def note_outputs(run: Run, outputs: list[tuple[LoggedModel, int]]) -> None:
    """Note that a run made models, at steps of it. Raises Invalid for a deleted run."""
    if run.deleted_ms is not None:
        raise Invalid(f"the run {run.pk.hex} is deleted; it takes no models", "deleted")
    with transaction.atomic():
        for model, step in outputs:
            RunModel.objects.get_or_create(
                run=run, direction=RunModel.Direction.OUTPUT, model_id=model.model_id, defaults={"step": step}
            )
            Edge.objects.get_or_create(from_run=run, to_model=model, kind="produced")
        documents.unfold([run.pk])


def model_root(model_id: str) -> Root | None:
    """Find a logged model's folder of files. One that is registered takes no more: others rely on its bytes."""
    try:
        model = LoggedModel.objects.active().select_related("experiment__project").fetch(model_id)
    except NotFound:
        return None
    refusal = ""
    if ArtifactVersion.everything.filter(logged_model=model).exists():
        refusal = f"{model.model_id} is registered, so its files never change; log the model again"
    return Root(model.artifact_uri, model.files, project_of(model), refusal, share=share_of(model.experiment.project))


def project_of(model: LoggedModel) -> uuid.UUID | None:
    """Name the project that a logged model belongs to, by its experiment."""
    return model.experiment.project_id
