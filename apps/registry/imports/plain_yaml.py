"""The registry room: YAML of other tools as plain data: text, numbers, lists and mappings.

The loader makes nothing else: no objects, no dates, no anchors (a small text with those stands for terabytes). What it
does not know is refused.
"""

from typing import Any

import yaml

from maestro.errors import Invalid, TooLarge

MOST_BYTES = 16 * 2**20
MOST_DEPTH = 32
TIMESTAMP = "tag:yaml.org,2002:timestamp"


class PlainLoader(yaml.CSafeLoader):
    """The safe loader without dates."""


PlainLoader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in some if tag != TIMESTAMP]
    for first, some in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def loads(data: bytes) -> Any:
    """Read a document. Raises Invalid for what is not plain YAML, TooLarge."""
    if len(data) > MOST_BYTES:
        raise TooLarge(f"this YAML has more than {MOST_BYTES} bytes", "yaml_too_large")
    try:
        check_events(data)
        return yaml.load(data, Loader=PlainLoader)  # noqa: S506 a safe loader, and less than that # nosec B506
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        first = str(error).splitlines() or [type(error).__name__]
        raise Invalid(f"this is no plain YAML: {first[0]}", "bad_yaml") from error


def check_events(data: bytes) -> None:
    """Raise Invalid for anchors, and for what is nested too deeply."""
    depth = 0
    for event in yaml.parse(data, Loader=yaml.CSafeLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise Invalid("this YAML uses anchors, which are not read", "yaml_anchor")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MOST_DEPTH:
            raise Invalid(f"this YAML is nested more than {MOST_DEPTH} deep", "yaml_depth")


def mapping(data: bytes) -> dict[str, Any]:
    """Read a document that is a mapping. Raises Invalid, TooLarge."""
    found = loads(data)
    if not isinstance(found, dict):
        raise Invalid("this YAML is no mapping", "bad_yaml")
    return {str(name): value for name, value in found.items()}
