"""The committed description of the API is the one that the views give, and it bounds what it takes."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.renderers import OpenApiYamlRenderer

COMMITTED = Path(__file__).resolve().parents[3] / "docs" / "openapi.yaml"


@cache
def generated() -> dict[str, Any]:
    """The description as it is now, read as the committed one is; nobody changes it."""
    schema = SchemaGenerator(urlconf="config.urls").get_schema(request=None, public=True)
    return read(OpenApiYamlRenderer().render(schema, renderer_context={}))


def read(text: str | bytes) -> dict[str, Any]:
    """Read YAML by the parser that is written in C."""
    return dict(yaml.load(text, Loader=yaml.CSafeLoader))


def test_the_committed_description_is_current() -> None:
    now, then = generated(), read(COMMITTED.read_text())
    hint = "run `manage.py spectacular --file docs/openapi.yaml` and commit it"
    assert sorted(now["paths"]) == sorted(then["paths"]), hint
    assert now == then, hint


def test_every_operation_has_a_name_of_its_own_and_says_how_it_refuses() -> None:
    operations = [
        (path, operation)
        for path, methods in generated()["paths"].items()
        for name, operation in methods.items()
        if path.startswith("/api/v1/") and name != "parameters"
    ]
    names = [operation["operationId"] for _, operation in operations]
    assert len(names) > 40
    assert len(set(names)) == len(names)
    for path, operation in operations:
        assert {"400", "401", "403", "404"} <= set(operation["responses"]), path
        assert operation.get("description"), path


def test_every_text_that_the_rooms_below_take_has_a_longest_length() -> None:
    schemas = generated()["components"]["schemas"]
    ours = ("ProjectNewRequest", "OutcomeNewRequest", "ArtifactNewRequest", "VersionNewRequest", "FileNewRequest")
    for name in (*ours, "AliasNewRequest", "ExperimentNewRequest", "PatchedRunFactsRequest"):
        for field, facts in schemas[name]["properties"].items():
            kind = facts.get("type", "")
            if "string" in kind and "enum" not in facts and facts.get("format") != "date-time":
                assert "maxLength" in facts, f"{name}.{field}"
            if "integer" in kind or "number" in kind:
                bounded = {"minimum", "maximum"} <= set(facts) or field in (
                    "goal_worst",
                    "goal_best",
                    "model_performance",
                )
                assert bounded, f"{name}.{field}"
