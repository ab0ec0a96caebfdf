"""A word of a query that is none of those which an address takes is refused.

To pass over it would answer another question: `?deleted=yes` showed what is not deleted, `?kind=modell` said that there are none.
"""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from tests.factories.stage import Stage
from tests.hostile.test_schemathesis import DESCRIPTION, things

ADDRESSES = {
    path: [row for row in operation.get("parameters", []) if row["in"] == "query"]
    for path, methods in DESCRIPTION["paths"].items()
    for method, operation in methods.items()
    if method == "get"  # of what changes things, `dry_run` is tried where that is
}
WORDS = [
    (address, row["name"], row["schema"])
    for address, rows in ADDRESSES.items()
    for row in rows
    if "enum" in row["schema"] or row["schema"].get("type") == "boolean"
]
NONE = ("yes", "nonsense", "0 ", "modell")


def ask(client: Client, known: dict[str, str], address: str, **query: str) -> Any:
    return client.get(address.format(**known), query_params=query)


@pytest.mark.parametrize(("address", "name", "schema"), WORDS, ids=[f"{one[0]} {one[1]}" for one in WORDS])
def test_a_word_that_is_none_is_refused(
    acme: Tenant, api: Callable[..., Client], address: str, name: str, schema: dict[str, Any]
) -> None:
    stage = Stage(acme, api)
    known = things(stage) if "{" in address else {}
    for word in schema.get("enum", ("true", "false", "1", "0", "TRUE")):
        answer = ask(stage.admin, known, address, **{name: word})
        assert answer.status_code == 200, (word, answer.content)
    for word in NONE:
        answer = ask(stage.admin, known, address, **{name: word})
        assert answer.status_code == 400, (word, answer.status_code)
        assert name in answer.content.decode(), answer.content


def test_some_are_tried() -> None:
    assert len(WORDS) > 10
