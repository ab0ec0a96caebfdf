"""The tracking room: a filter on evaluation datasets and an order -> the ids of one page; and one page of records."""

# ruff: noqa: S608 statements are put together from constants of ours; every value is bound

from collections.abc import Sequence
from typing import Any

from django.db.models import Q

from apps.tracking.models import EvaluationDataset
from apps.tracking.search.keysets import Key, beyond, order_by
from apps.tracking.search.pages import Place, Search, check_place
from apps.tracking.search.predicates import Writer, compare, write
from maestro.database.statements import execute
from maestro.errors import Invalid
from maestro.filters import Comparison, Field, Vocabulary
from maestro.filters.vocabulary import NUMERIC, OPTIONAL, TEXT
from maestro.principals import Reach

COLUMNS = {
    "name": "d.name",
    "dataset_id": "d.id",
    "created_by": "d.created_by",
    "last_updated_by": "d.updated_by",
    "created_time": "d.created_ms",
    "last_update_time": "d.updated_ms",
}
NUMBERS = ("created_time", "last_update_time")
VOCABULARY = Vocabulary(
    keyed=dict.fromkeys(("tags", "tag"), Field("tag", "", OPTIONAL)),
    attributes={name: Field("attribute", name, NUMERIC if name in NUMBERS else TEXT) for name in COLUMNS},
    prefixes=frozenset({"attributes", "attribute", "attr"}),
)
NEWEST, ID = Key("d.created_ms", "::bigint", True), Key('d.id COLLATE "C"', "::text", True)


def clause(comparison: Comparison, writer: Writer) -> str:
    """Write one clause about a dataset."""
    if comparison.kind == "tag":
        return compare(f"(d.tags ->> {writer.bind(comparison.key, '::text')})", comparison, writer)
    return compare(COLUMNS[comparison.key], comparison, writer)


def dataset_keys(search: Search) -> list[Key]:
    """Turn an order into keys; without any, the newest come first."""
    keys = []
    for term in search.terms:
        column = COLUMNS[term.field.key]
        number = term.field.key in NUMBERS
        keys.append(
            Key(column if number else f'{column} COLLATE "C"', "::bigint" if number else "::text", term.descending)
        )
    return [*(keys or [NEWEST]), ID]


def datasets(
    search: Search,
    *,
    projects: Reach,
    experiments: Sequence[int] | None,
    most: int,
    token: Place | None = None,
) -> tuple[list[str], Place | None]:
    """Find one page of datasets: their ids, and the next page's token or None."""
    place = check_place(search, token)
    writer, keys = Writer(), dataset_keys(search)
    conditions = ["true"]
    if projects is not None:
        conditions.append(f"d.project_id = ANY({writer.bind(projects, '::uuid[]')})")
    if experiments is not None:
        link = EvaluationDataset.experiments.through._meta.db_table
        numbers = writer.bind(list(experiments), "::bigint[]")
        conditions.append(
            f"EXISTS (SELECT FROM {link} l WHERE l.evaluationdataset_id = d.id AND l.experiment_id = ANY({numbers}))"
        )
    if search.tree is not None:
        conditions.append(write(search.tree, writer, clause))
    if place is not None:
        if len(place) != len(keys):
            raise Invalid("Invalid page token: it belongs to another search", "bad_cursor")
        conditions.append(beyond(keys, place, writer))
    columns = ", ".join(key.expression for key in keys)
    sql = (
        f"SELECT d.id, {columns} FROM tracking_evaluationdataset d WHERE {' AND '.join(conditions)}"
        f" ORDER BY {order_by(keys)} LIMIT {writer.bind(most + 1, '::bigint')}"
    )
    rows = execute(sql, writer.params, prepare=False)
    following: list[Any] | None = [search.digest(), *rows[most - 1][1:]] if len(rows) > most else None
    return [row[0] for row in rows[:most]], following


def records(dataset: EvaluationDataset, *, most: int, place: Place | None) -> tuple[list[str], Place | None]:
    """Find one page of a dataset's records, the oldest first: their ids, and the next page's token or None.

    Raises Invalid for a token of another dataset
    """
    rows = dataset.records.order_by("created_ms", "pk")
    if place is not None:
        if len(place) != 3 or place[0] != dataset.pk:
            raise Invalid("Invalid page token: it belongs to another dataset", "bad_cursor")
        _, created_ms, identity = place
        rows = rows.filter(Q(created_ms__gt=created_ms) | Q(created_ms=created_ms, pk__gt=identity))
    found = list(rows.values_list("created_ms", "pk")[: most + 1])
    following: list[Any] | None = [dataset.pk, *found[most - 1]] if len(found) > most else None
    return [identity for _, identity in found[:most]], following
