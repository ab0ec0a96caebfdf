"""The registry room: one page of a sorted list, found by the last row's sort key, however deep it lies.

A row between two pages may come or go; no other row is shown twice or skipped for it.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import F, Q
from django.db.models.functions import Collate

from maestro.errors import Invalid
from maestro.filters.budget import Budget, weigh


@dataclass(frozen=True)
class Key:
    """A column to sort by; missing values come last in either direction, and text is sorted by its bytes."""

    column: str
    descending: bool = False
    is_text: bool = False

    @property
    def value(self) -> F | Collate:
        """The column as it is sorted by."""
        return Collate(F(self.column), "C") if self.is_text else F(self.column)


@dataclass(frozen=True)
class Page:
    """Rows, and the sort key of the last one if more follow."""

    rows: list[Any]
    following: list[Any] | None


def keys(*names: str) -> tuple[Key, ...]:
    """Read columns as Django writes them: `-` before a descending one."""
    return tuple(Key(name.removeprefix("-"), name.startswith("-")) for name in names)


def cut(rows: Any, order: Sequence[Key], *, most: int, after: Sequence[Any] | None) -> Page:
    """Fetch `most` rows behind a sort key, or fewer if they are long. The last columns of the order tell any two rows apart."""
    found: list[Any] = []
    budget = Budget()
    while True:
        part = fetched(rows, order, most=min(budget.step, most - len(found)), after=after)
        found += part.rows
        after = part.following
        budget.spend([weigh(row) for row in part.rows])
        if after is None or len(found) >= most or budget.is_spent:
            return Page(found, after)


def fetched(rows: Any, order: Sequence[Key], *, most: int, after: Sequence[Any] | None) -> Page:
    """Fetch exactly `most` rows behind a sort key, if there are as many."""
    named = [f"key_{index}" for index in range(len(order))]
    rows = rows.annotate(**{name: key.value for name, key in zip(named, order, strict=True)})
    if after is not None:
        rows = rows.filter(behind(named, order, after))
    sorting = [
        F(name).desc(nulls_last=True) if key.descending else F(name).asc(nulls_last=True)
        for name, key in zip(named, order, strict=True)
    ]
    found = list(rows.order_by(*sorting)[: most + 1])
    following = [spelled(getattr(found[most - 1], name)) for name in named] if len(found) > most else None
    return Page(found[:most], following)


def behind(named: Sequence[str], order: Sequence[Key], after: Sequence[Any]) -> Q:
    """Write `(a, b) lies behind (x, y)` for mixed directions and missing values."""
    if len(after) != len(order):
        raise Invalid("this page token is not one of ours", "bad_cursor")
    condition, equal = Q(pk__in=[]), Q()
    for name, key, value in zip(named, order, after, strict=True):
        if value is None:
            equal &= Q(**{f"{name}__isnull": True})
            continue
        beyond = Q(**{f"{name}__{'lt' if key.descending else 'gt'}": value}) | Q(**{f"{name}__isnull": True})
        condition |= equal & beyond
        equal &= Q(**{name: value})
    return condition


def spelled(value: Any) -> Any:
    """Write a value of a sort key so that it fits a token."""
    return str(value) if isinstance(value, uuid.UUID) else value
