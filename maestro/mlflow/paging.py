"""The floor: page sizes and page tokens of the MLflow door. A token is opaque, signed, and good for one list."""

from collections.abc import Mapping
from typing import Any

from maestro import limits
from maestro.api.pagination import sign, unsign
from maestro.errors import Invalid
from maestro.mlflow import fields as read


def page_size(fields: Mapping[str, Any], default: int | None, most: int = limits.MLFLOW_PAGE_MAX) -> int:
    """Read max_results. Raises Invalid outside 1..most, or if there is none and none is assumed."""
    if fields.get("max_results") is None:
        if default is None:
            raise read.missing("max_results")
        return default
    return read.as_integer(fields["max_results"], "max_results", 1, most)


def read_token(fields: Mapping[str, Any], purpose: str) -> list[Any] | None:
    """Read page_token back, or None for the first page. Raises Invalid for nonsense."""
    token = fields.get("page_token")
    if token is None or token == "":
        return None
    try:
        return unsign(read.as_text(token, "page_token", 20_000), purpose)
    except Invalid as error:
        raise read.refuse("page_token", token, "it is not a token of this list") from error


def write_token(values: list[Any], purpose: str) -> str:
    """Make the token of the page that follows a row."""
    return sign(values, purpose)
