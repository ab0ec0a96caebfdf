"""The tracking room: evaluation datasets: made, found, filled with records, and deleted."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from django.db import transaction
from django.db.models import QuerySet

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.models import DEFAULT_PROJECT_ID, EvaluationDataset, EvaluationRecord, Experiment
from apps.tracking.refusals import no_experiment
from apps.tracking.scoping import evaluation_datasets_for
from maestro import limits
from maestro.errors import Invalid
from maestro.principals import Actor, home_of

USER_TAG, BY_CHARS = "mlflow.user", 250
PARTS = ("inputs", "outputs", "expectations")
SORTED = orjson.OPT_SORT_KEYS
TYPES = {bool: "boolean", int: "integer", float: "float", str: "string", list: "array", dict: "object"}


@dataclass(frozen=True)
class GivenRecord:
    """A record as a client tells it; `given` names the parts that it told."""

    inputs: dict[str, Any]
    outputs: Any = None
    expectations: dict[str, Any] | None = None
    tags: dict[str, str] = field(default_factory=dict)
    source: dict[str, Any] | None = None
    given: frozenset[str] = frozenset()

    @property
    def sha256(self) -> str:
        """What makes it the same record as another."""
        return hashlib.sha256(orjson.dumps(self.inputs, option=SORTED)).hexdigest()


def create(
    name: str, by: Actor, *, tags: dict[str, str], experiments: Sequence[Experiment], now: int
) -> EvaluationDataset:
    """Make a dataset, in the project of its first experiment, else in the caller's own, else in the default one."""
    home = experiments[0].project_id if experiments else home_of(by.projects, "name its experiments")
    made = EvaluationDataset(
        project_id=home or DEFAULT_PROJECT_ID,
        name=name,
        tags=tags,
        created_ms=now,
        updated_ms=now,
        created_by=said_by(tags, by),
        updated_by=said_by(tags, by),
    )
    with transaction.atomic():
        made.save()
        made.experiments.set(experiments)
        write_down(by, Act.DATASET_CREATE, made.pk, after={"name": name, "tags": tags})
    return made


def said_by(tags: Mapping[str, str], by: Actor) -> str:
    """Name the author as MLflow does: by the tag mlflow.user, where a client sends one. The audit log knows who asked."""
    return tags.get(USER_TAG, "")[:BY_CHARS] or by.name[:BY_CHARS]


def chosen(experiments: "QuerySet[Experiment]", numbers: Sequence[int]) -> list[Experiment]:
    """Fetch experiments by their numbers, in that order. Raises NotFound if one is not there."""
    found = experiments.in_bulk(list(numbers))
    for number in numbers:
        if number not in found:
            raise no_experiment(number)
    return [found[number] for number in numbers]


def delete(identity: str, by: Actor) -> None:
    """Delete a dataset with its records, for good. Raises NotFound."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        before = {"name": dataset.name, "records": dataset.record_count}
        write_down(by, Act.DATASET_DELETE, identity, before=before)
        dataset.delete()


def link(identity: str, experiments: Sequence[Experiment], by: Actor) -> EvaluationDataset:
    """Say that experiments use a dataset. Raises NotFound."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        linked = set(dataset.experiments.values_list("pk", flat=True))
        fresh = [home.pk for home in experiments if home.pk not in linked]
        if fresh:
            dataset.experiments.add(*fresh)
            write_down(by, Act.DATASET_LINK, identity, after={"experiments": fresh})
    return dataset


def unlink(identity: str, experiments: Sequence[Experiment], by: Actor) -> EvaluationDataset:
    """Say that experiments do not use a dataset. Raises NotFound."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        numbers = [home.pk for home in experiments]
        gone = list(dataset.experiments.filter(pk__in=numbers).values_list("pk", flat=True))
        if gone:
            dataset.experiments.remove(*gone)
            write_down(by, Act.DATASET_UNLINK, identity, before={"experiments": gone})
    return dataset


def note(identity: str, tags: dict[str, str], by: Actor) -> None:
    """Add to a dataset's tags, which changes neither its time nor its digest. Raises NotFound, or Invalid for too many."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        merged = dataset.tags | tags
        if len(merged) > limits.TRACE_NOTES:
            raise Invalid(f"A dataset takes at most {limits.TRACE_NOTES} tags.", "too_many_items")
        if merged != dataset.tags:
            dataset.tags = merged
            dataset.save(update_fields=["tags"])
            write_down(by, Act.DATASET_TAG, identity, after=tags)


def drop_tag(identity: str, key: str, by: Actor) -> None:
    """Take a note off a dataset; one that is not there is no error. Raises NotFound for the dataset."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        if dataset.tags.pop(key, None) is not None:
            dataset.save(update_fields=["tags"])
            write_down(by, Act.DATASET_UNTAG, identity, before={"key": key})


def fetch_held(identity: str, by: Actor) -> EvaluationDataset:
    """Fetch a dataset within reach, and hold its row. Raises NotFound."""
    return evaluation_datasets_for(by.who).select_for_update().fetch(identity)


def write_down(by: Actor, act: Act, identity: str, *, before: Any = None, after: Any = None) -> None:
    """Record what was done to a dataset."""
    record(by, act, object_type="EvaluationDataset", object_id=identity, before=before, after=after)


def put_records(identity: str, given: Sequence[GivenRecord], by: Actor, *, now: int) -> tuple[int, int]:
    """Add records; one whose inputs are there already is merged into it. Returns how many are new, and how many not."""
    with transaction.atomic():
        dataset, name = fetch_held(identity, by), by.name[:BY_CHARS]
        kept = dataset.records.filter(input_sha256__in={record.sha256 for record in given})
        known = {row.input_sha256: row for row in kept}
        fresh: dict[str, EvaluationRecord] = {}
        updated = 0
        for given_one in given:
            row = known.get(given_one.sha256) or fresh.get(given_one.sha256)
            if row is None:
                fresh[given_one.sha256] = new_row(dataset, given_one, by=said_by(given_one.tags, by), now=now)
            else:
                merge(row, given_one, by=said_by(given_one.tags, by), now=now)
                updated += 1
        EvaluationRecord.objects.bulk_create(fresh.values(), batch_size=500)
        merged = ["outputs", "expectations", "tags", "updated_ms", "updated_by"]
        EvaluationRecord.objects.bulk_update(known.values(), merged, batch_size=500)
        dataset.schema, dataset.record_count = extended(dataset.schema, given), dataset.record_count + len(fresh)
        dataset.updated_by, dataset.updated_ms = name, max(now, dataset.created_ms)
        dataset.save(update_fields=["schema", "record_count", "updated_by", "updated_ms"])
        write_down(by, Act.RECORDS_PUT, identity, after={"inserted": len(fresh), "updated": updated})
    return len(fresh), updated


def new_row(dataset: EvaluationDataset, record: GivenRecord, *, by: str, now: int) -> EvaluationRecord:
    """Lay a new record out as a row."""
    return EvaluationRecord(
        dataset=dataset,
        input_sha256=record.sha256,
        inputs=record.inputs,
        outputs=record.outputs,
        expectations=record.expectations,
        tags=record.tags,
        source=record.source,
        created_ms=now,
        updated_ms=now,
        created_by=by,
        updated_by=by,
    )


def merge(row: EvaluationRecord, record: GivenRecord, *, by: str, now: int) -> None:
    """Put new outputs, expectations and tags into a record that is there."""
    if "outputs" in record.given:
        row.outputs = record.outputs
    if record.expectations:
        row.expectations = (row.expectations or {}) | record.expectations
    row.tags = row.tags | record.tags
    row.updated_ms, row.updated_by = max(now, row.created_ms), by


def extended(schema: dict[str, Any] | None, given: Sequence[GivenRecord]) -> dict[str, Any] | None:
    """Add the fields of new records to a dataset's schema, each with the type it had first."""
    if not given:
        return schema
    found: dict[str, Any] = schema or {"inputs": {}, "outputs": {}, "expectations": {}, "version": "1.0"}
    for given_one in given:
        for part in PARTS:
            told = getattr(given_one, part)
            if isinstance(told, dict) and isinstance(found[part], dict):
                found[part] = {key: type_of(value) for key, value in told.items()} | found[part]
            elif told is not None and not found[part]:
                found[part] = type_of(told)
    return found


def type_of(value: Any) -> str:
    """Name a value's type, as MLflow does."""
    return TYPES.get(type(value), "null")


def remove_records(identity: str, records: Sequence[str], by: Actor, *, now: int) -> int:
    """Delete some records; returns how many were there. Raises NotFound for the dataset."""
    with transaction.atomic():
        dataset = fetch_held(identity, by)
        gone: int = dataset.records.filter(pk__in=records).delete()[0]
        if gone:
            dataset.record_count, dataset.updated_ms = dataset.record_count - gone, max(now, dataset.created_ms)
            dataset.save(update_fields=["record_count", "updated_ms"])
            write_down(by, Act.RECORDS_DELETE, identity, before={"records": gone, "ids": list(records)[:100]})
    return gone


def digest_of(dataset: EvaluationDataset) -> str:
    """Name a dataset's state in eight digits."""
    return hashlib.sha256(f"{dataset.name}:{dataset.updated_ms}".encode()).hexdigest()[:8]
