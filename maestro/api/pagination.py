"""The floor: opaque, signed keyset cursors for REST lists. No totals, no OFFSET."""

import json
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import Q
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from maestro import limits
from maestro.errors import Invalid
from maestro.filters.budget import Budget, weigh


def read_limit(text: str | None, default: int = limits.PAGE_DEFAULT, most: int = limits.PAGE_MAX) -> int:
    """Read a page size from a query string. Raises Invalid outside 1..most."""
    if text is None:
        return default
    if not text.isascii() or not text.isdecimal() or len(text) > 6 or not 1 <= int(text) <= most:
        raise Invalid(f"limit must be a whole number from 1 to {most}", "bad_limit")
    return int(text)


def sign(values: list[Any], purpose: str) -> str:
    """Make an opaque token of a page's last key."""
    return Signer(salt=purpose).sign_object(values)


def unsign(token: str, purpose: str) -> list[Any]:
    """Read a token back. Raises Invalid for one that was not made here, for this list."""
    try:
        values = Signer(salt=purpose).unsign_object(token)
    except (BadSignature, ValueError, json.JSONDecodeError) as error:
        raise Invalid("this page token is not one of ours", "bad_cursor") from error
    if not isinstance(values, list):
        raise Invalid("this page token is not one of ours", "bad_cursor")
    return values


class CursorPagination(BasePagination):
    """Pages by `ordering` of the view, whose last field is unique: {"results": [...], "next": url or null}."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        """Fetch one page, and one row more to know whether there is another."""
        self.request = request
        self.purpose = f"{type(view).__module__}.{type(view).__name__}"
        self.ordering = tuple(getattr(view, "page_ordering", ("-id",)))
        limit = read_limit(request.query_params.get("limit"))
        token = request.query_params.get("cursor")
        if token:
            queryset = queryset.filter(self.after(unsign(token, self.purpose)))
        rows, self.last = self.fetched(queryset.order_by(*self.ordering), limit)
        return rows

    def fetched(self, queryset: Any, limit: int) -> tuple[list[Any], Any]:
        """Fetch rows, fewer if they are long; and the last of them, if more follow."""
        rows: list[Any] = []
        budget = Budget(first=limits.PAGE_DEFAULT)
        while True:
            following = queryset.filter(self.after(self.place_of(rows[-1]))) if rows else queryset
            step = min(budget.step, limit - len(rows))
            some = list(following[: step + 1])
            rows += some[:step]
            if len(some) <= step:
                return rows, None
            budget.spend([weigh(row) for row in some[:step]])
            if len(rows) >= limit or budget.is_spent:
                return rows, rows[-1]

    def place_of(self, row: Any) -> list[Any]:
        """Name where a row stands in the order."""
        return [getattr(row, name.lstrip("-")) for name in self.ordering]

    def after(self, values: list[Any]) -> Q:
        """Write `(a, b) beyond (x, y)` for mixed directions."""
        if len(values) != len(self.ordering):
            raise Invalid("this page token is not one of ours", "bad_cursor")
        condition, equal = Q(pk__in=[]), Q()
        for name, value in zip(self.ordering, values, strict=True):
            field, comparison = name.lstrip("-"), "lt" if name.startswith("-") else "gt"
            condition |= equal & Q(**{f"{field}__{comparison}": value})
            equal &= Q(**{field: value})
        return condition

    def get_paginated_response(self, data: list[Any]) -> Response:
        """Wrap a page."""
        return Response({"results": data, "next": self.next_url()})

    def next_url(self) -> str | None:
        """Write the URL of the next page, or None."""
        if self.last is None:
            return None
        values = self.place_of(self.last)
        query = self.request.query_params.copy()
        query["cursor"] = sign([v if isinstance(v, int | float) else str(v) for v in values], self.purpose)
        return self.request.build_absolute_uri(f"{self.request.path}?{query.urlencode()}")

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page for OpenAPI."""
        return {
            "type": "object",
            "required": ["results", "next"],
            "properties": {"results": schema, "next": {"type": ["string", "null"], "format": "uri", "maxLength": 8000}},
        }

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        """Describe the two query parameters for OpenAPI."""
        return [
            {
                "name": "limit",
                "in": "query",
                "schema": {"type": "integer", "minimum": 1, "maximum": limits.PAGE_MAX},
            },
            {"name": "cursor", "in": "query", "schema": {"type": "string", "maxLength": 2000}},
        ]
