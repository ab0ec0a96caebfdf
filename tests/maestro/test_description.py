"""The description of the API: written once a process, and known by its tag."""

import json
from typing import Any

import pytest
import yaml
from django.test import Client
from drf_spectacular.generators import SchemaGenerator

from config import description

SCHEMA = "/api/schema/"


def test_it_is_written_once_and_known_by_its_tag(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    whole = SchemaGenerator.get_schema

    def noted(*args: Any, **options: Any) -> Any:
        made.append(1)
        return whole(*args, **options)

    monkeypatch.setattr(SchemaGenerator, "get_schema", noted)
    description._written.clear()
    client = Client(headers={"host": "localhost"})
    first = client.get(SCHEMA)
    assert first.status_code == 200
    assert first["Content-Type"].startswith("application/vnd.oai.openapi")
    assert yaml.safe_load(first.content)["openapi"] == "3.1.0"
    assert [client.get(SCHEMA).content == first.content for _ in range(5)] == [True] * 5
    assert client.get(SCHEMA, headers={"if-none-match": first["ETag"]}).status_code == 304
    assert len(made) == 1
    for query in ("?version=9", "?lang=de"):
        assert client.get(SCHEMA + query).content == first.content
    assert len(made) == 1
    as_json = client.get(SCHEMA, headers={"accept": "application/vnd.oai.openapi+json"})
    assert json.loads(as_json.content)["info"]["title"] == "Maestro"
    assert as_json["ETag"] != first["ETag"]
    assert len(made) == 2
