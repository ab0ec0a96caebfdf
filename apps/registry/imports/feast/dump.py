"""The registry room: what `feast registry-dump` printed, read as plain data. Nothing in it is run. Pure.

Source  Feast's BaseRegistry.to_dict: lists of protobuf messages as JSON, each with `spec` and mostly with `meta`
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

import orjson

from apps.registry.imports import fit
from apps.registry.imports.report import Report
from maestro.errors import Invalid

# Where views stand, and what kind of view that is.
VIEWS: Final = {
    "featureViews": "feature view",
    "onDemandFeatureViews": "on-demand feature view",
    "streamFeatureViews": "stream feature view",
    "labelViews": "label view",
}
SERVICES, ENTITIES, SOURCES = "featureServices", "entities", "dataSources"
KNOWN: Final = {*VIEWS, SERVICES, ENTITIES, SOURCES, "project"}
# What changes though nobody changed the view: some of it is the time of the dump.
VOLATILE: Final = ("version", "versionNumber", "meta")
TIMES: Final = {"createdTimestamp", "lastUpdatedTimestamp"}
MOST_ITEMS: Final = 100_000
Spec = Mapping[str, Any]


@dataclass(frozen=True)
class View:
    """A feature view as it is applied: its spec, the entities and sources that it names, and when it was last applied."""

    name: str
    kind: str
    spec: Spec
    entities: list[Spec] = field(default_factory=list)
    sources: list[Spec] = field(default_factory=list)
    applied: str = ""
    reads: list[str] = field(default_factory=list)

    @property
    def fields(self) -> dict[str, str]:
        """Its columns and their types: entities' first, then features."""
        return columns(self.spec)


@dataclass(frozen=True)
class Service:
    """A feature service: which features of which views a consumer reads."""

    name: str
    spec: Spec
    views: list[str] = field(default_factory=list)


class Dump:
    """A registry as it was printed."""

    def __init__(self, data: bytes, report: Report) -> None:
        self.report, self.content = report, parsed(data)
        self.project = fit.text(self.content.get("project"), 250, "project")
        self.entities = {name: spec for name, spec in self.named(ENTITIES, "entity")}
        self.sources = {name: spec for name, spec in self.named(SOURCES, "data source")}

    def items(self, part: str) -> list[Any]:
        """The messages of one list. Raises Invalid."""
        found = self.content.get(part) or []
        if not isinstance(found, list) or len(found) > MOST_ITEMS:
            raise Invalid(f"{part} is no list of at most {MOST_ITEMS}", "bad_list")
        return found

    def named(self, part: str, kind: str) -> Iterator[tuple[str, Spec]]:
        """The specs of one list by their names. What has none is noted. A source has its name beside its fields."""
        for index, message in enumerate(self.items(part)):
            found = self.report.tried(kind, f"{part}[{index}]", partial(named_spec, message))
            if found is not None:
                yield found

    def views(self) -> Iterator[View]:
        """All views, of every kind."""
        for part, kind in VIEWS.items():
            for index, message in enumerate(self.items(part)):
                found = self.report.tried(kind, f"{part}[{index}]", partial(self.view, message, kind))
                if found is not None:
                    yield found

    def view(self, message: Any, kind: str) -> View:
        """Read a view. Raises Invalid."""
        name, spec = named_spec(message)
        columns(spec)
        meta = message.get("meta")
        applied = meta.get("lastUpdatedTimestamp", "") if isinstance(meta, dict) else ""
        entities = [self.entities[one] for one in texts(spec.get("entities"), "entities") if one in self.entities]
        sources = [self.sources[one] for one in sorted(source_names(spec)) if one in self.sources]
        when, reads = fit.text(applied, 60, "lastUpdatedTimestamp"), sorted(view_names(spec))
        return View(name, kind, spec, entities, sources, when, reads)

    def services(self) -> Iterator[Service]:
        """All feature services."""
        for index, message in enumerate(self.items(SERVICES)):
            found = self.report.tried("feature service", f"{SERVICES}[{index}]", partial(service, message))
            if found is not None:
                yield found

    def rest(self) -> Iterator[tuple[str, str]]:
        """What the dump has beside views, services, entities and sources: (what, name)."""
        for part in sorted(self.content.keys() - KNOWN):
            found = self.content[part]
            for index, message in enumerate(found if isinstance(found, list) else []):
                spec = message.get("spec", message) if isinstance(message, dict) else {}
                yield fit.text(part, 100, "a list's name"), str(spec.get("name") or spec.get("project") or index)[:200]


def parsed(data: bytes) -> dict[str, Any]:
    """Read the JSON, after whatever the program said before it. Raises Invalid."""
    start = data.find(b"{")
    try:
        found = orjson.loads(data[start:] if start > 0 else data)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"this is no JSON: {error}", "bad_json") from error
    if not isinstance(found, dict) or not found.keys() & KNOWN:
        raise Invalid("this is no dump of a Feast registry: `feast registry-dump > FILE` makes one", "no_dump")
    return found


def named_spec(message: Any) -> tuple[str, Spec]:
    """Read a message's spec and name. Raises Invalid."""
    spec = message.get("spec", message) if isinstance(message, dict) else None
    if not isinstance(spec, dict):
        raise Invalid("it has no spec", "bad_message")
    kept = {name: steady(value) for name, value in spec.items() if name not in VOLATILE}
    return fit.key(spec.get("name"), "name"), kept


def steady(value: Any) -> Any:
    """Leave out when the sources within were made: that changes though nobody changed them."""
    if isinstance(value, list):
        return [steady(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {
        name: steady(one)
        for name, one in value.items()
        if not (name == "meta" and isinstance(one, dict) and one.keys() <= TIMES)
    }


def service(message: Any) -> Service:
    """Read a feature service. Raises Invalid."""
    name, spec = named_spec(message)
    parts = spec.get("features") or []
    if not isinstance(parts, list) or not all(isinstance(part, dict) for part in parts):
        raise Invalid("its features are no list", "bad_message")
    return Service(name, spec, [fit.key(part.get("featureViewName"), "featureViewName") for part in parts])


def columns(spec: Spec) -> dict[str, str]:
    """Read a view's columns and their types. Raises Invalid."""
    found = {}
    for part in ("entityColumns", "features"):
        rows = spec.get(part) or []
        if not isinstance(rows, list):
            raise Invalid(f"{part} is no list", "bad_message")
        for row in rows:
            if not isinstance(row, dict):
                raise Invalid(f"{part} holds what is no field", "bad_message")
            found[fit.key(row.get("name"), part)] = fit.text(row.get("valueType"), 100, "valueType") or "?"
    return found


def texts(value: Any, name: str) -> list[str]:
    """Read a list of texts. Raises Invalid."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise Invalid(f"{name} is no list", "bad_message")
    return [fit.text(one, 250, name) for one in value]


def inner(spec: Spec, part: str) -> list[Any]:
    """What an on-demand view is computed of: its `sources`, each a request or a projection of another view."""
    many = spec.get("sources")
    return [one.get(part) for one in (many.values() if isinstance(many, dict) else ()) if isinstance(one, dict)]


def source_names(spec: Spec) -> set[str]:
    """Name the sources of a view: of a batch, of a stream, of a request."""
    found = [spec.get("batchSource"), spec.get("streamSource"), *inner(spec, "requestDataSource")]
    return {str(one.get("name")) for one in found if isinstance(one, dict) and one.get("name")}


def view_names(spec: Spec) -> set[str]:
    """Name the views that an on-demand view is computed of."""
    found = inner(spec, "featureViewProjection")
    return {str(one.get("featureViewName")) for one in found if isinstance(one, dict) and one.get("featureViewName")}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """Say in words how a view's columns changed."""
    added = [f"added {name} ({after[name]})" for name in after if name not in before]
    removed = [f"removed {name} ({before[name]})" for name in before if name not in after]
    turned = [
        f"{name} was {before[name]} and is {after[name]}"
        for name in after
        if name in before and before[name] != after[name]
    ]
    return added + removed + turned
