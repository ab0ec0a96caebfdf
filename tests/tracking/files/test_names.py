"""Names of files through the proxy: what is a letter once decoded, what a query would make of it, and a download's type."""

from collections.abc import Callable
from urllib.parse import quote

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import RunFile
from tests.factories.door import Door

PROXY = "/api/2.0/mlflow-artifacts/artifacts"
NAMES = ("images/step%0%timestamp%1717%2f9c.png", "100%", "a?b", "a#b", "what?#%.txt", "a%20b", "50%25")


@pytest.fixture
def client(acme: Tenant, api: Callable[..., Client]) -> Client:
    return api(acme)


def put(client: Client, address: str, data: bytes = b"x") -> int:
    return client.generic("PUT", address, data, content_type="application/octet-stream").status_code


@pytest.mark.parametrize("name", NAMES)
def test_letters_that_addresses_give_a_meaning_are_letters_once_decoded(client: Client, name: str) -> None:
    run = Door(client).run()
    address = f"{PROXY}/0/{run}/artifacts/{quote(name)}"
    assert put(client, address, name.encode()) == 200
    assert RunFile.objects.get().path == name
    assert b"".join(client.get(address)) == name.encode()
    folder, _, base = name.rpartition("/")
    listed = client.get(PROXY, {"path": f"0/{run}/artifacts/{folder}".rstrip("/")}).json()["files"]
    assert [entry["path"] for entry in listed] == [base]
    shown = client.get("/api/2.0/mlflow/artifacts/list", {"run_id": run, "path": folder}).json()["files"]
    assert [entry["path"] for entry in shown] == [name]
    assert client.delete(address).status_code == 200
    assert not RunFile.objects.exists()


def test_a_query_that_an_unquoted_name_makes_touches_no_other_file(client: Client) -> None:
    """Clients that send `a?b` as it is would write, read and delete `a`."""
    run = Door(client).run()
    address = f"{PROXY}/0/{run}/artifacts/a"
    assert put(client, address, b"whole") == 200
    for query in ("?b", "?b=1.png", "?"):
        expected = 200 if query == "?" else 400
        assert put(client, f"{address}{query}", b"whole") == expected
        assert client.get(f"{address}{query}").status_code == expected
    assert client.delete(f"{address}?b").status_code == 400
    refusal = client.get(f"{address}?b").json()
    assert refusal["error_code"] == "INVALID_PARAMETER_VALUE"
    assert "%3F" in refusal["message"]
    assert b"".join(client.get(address)) == b"whole"


TYPES = {
    "report.pdf": "application/pdf",
    "table.json": "application/json",
    "table.csv": "text/csv; charset=utf-8",
    "conda.yaml": "text/plain; charset=utf-8",
    "conda.YML": "text/plain; charset=utf-8",
    "MLmodel": "text/plain; charset=utf-8",
    "notes.txt": "text/plain; charset=utf-8",
    "plot.png": "image/png",
    "page.html": "application/octet-stream",
    "image.svg": "application/octet-stream",
    "feed.xml": "application/octet-stream",
    "code.js": "application/octet-stream",
    "model.pkl": "application/octet-stream",
    "json/nothing": "application/octet-stream",
}


@pytest.mark.parametrize("name", TYPES)
def test_a_download_says_its_type_where_that_is_safe_and_is_always_an_attachment(client: Client, name: str) -> None:
    run = Door(client).run()
    address = f"{PROXY}/0/{run}/artifacts/{name}"
    assert put(client, address) == 200
    answer = client.get(address)
    assert answer["Content-Type"] == TYPES[name]
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in answer["Content-Security-Policy"]
