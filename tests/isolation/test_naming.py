"""Every field that names a thing, found in the code, is tried with one of another project of the tenant (R45).

It is answered as one that never was, changes nothing more, shows nothing, and leaves its owner free to delete it. A new
field, parameter or route fails here until it is classified: as one with a hole in `asks.py`, or as one that names nothing.
"""

import json
import re
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from apps.registry.observations import observe
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.auditing import state
from tests.factories.one_of_each import BYTES, MLFLOW, Ids, Maker, never
from tests.factories.two_projects import MARK, guarded_routes, person_in, speaking_as, text_of
from tests.isolation import names_nothing
from tests.isolation.asks import ADDRESS, BODIES, PLAIN
from tests.isolation.naming import mlflow_fields, query_fields, shapes

Api = Callable[..., Client]
AT = datetime(2026, 5, 1, tzinfo=UTC)
HOLE = re.compile(r"\{([a-z_]+)(#?)\}")
PART = re.compile(r"<(\w+):(\w+)>")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+(?:\.\d+)?Z?")
CHANGING = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|[0-9a-f]{32}|\d+")


@dataclass(frozen=True)
class Ask:
    """One way to call a route: its method and pattern, the module of its view, and a tree with holes."""

    method: str
    pattern: str
    module: str
    parts: dict[str, str]
    body: dict[str, Any]

    @property
    def route(self) -> str:
        return f"{self.method} {self.pattern}"

    def holes(self) -> Iterator[tuple[tuple[Any, ...], str]]:
        """Where a thing is named, and of which kind."""
        for place, text in leaves([self.parts, self.body]):
            kinds = dict.fromkeys(kind for kind, _ in HOLE.findall(text))
            yield from ((place, kind) for kind in kinds if (self.route, kind) not in names_nothing.GIVEN)


def leaves(tree: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a tree, with the way to it."""
    if isinstance(tree, str):
        yield place, tree
    steps = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for step, inner in steps:
        yield from leaves(inner, (*place, step))


def filled(tree: Any, ids: Ids, other: tuple[tuple[Any, ...], str, Ids] | None, place: tuple[Any, ...] = ()) -> Any:
    """Fill the holes with ids, and one of them with another's."""
    if isinstance(tree, dict):
        return {step: filled(inner, ids, other, (*place, step)) for step, inner in tree.items()}
    if isinstance(tree, list):
        return [filled(inner, ids, other, (*place, step)) for step, inner in enumerate(tree)]
    if not isinstance(tree, str):
        return tree
    is_number = bool(HOLE.search(tree)) and tree.endswith("#}")

    def value(match: re.Match[str]) -> str:
        is_other = other is not None and other[:2] == (place, match[1])
        return (other[2] if is_other and other else ids)[match[1]]

    text = HOLE.sub(value, tree)
    return int(text) if is_number else text


def part_of(pattern: str, kind: str, name: str) -> str:
    """What stands in an address for one part of it."""
    if (kind, name) == ("str", "key"):
        return "{key}"
    if kind == "path" and "mlflow-artifacts" in pattern:
        return "{path}"
    return f"{{{ADDRESS[name]}}}" if name in ADDRESS else PLAIN.get(name, str(uuid.UUID(int=7)))


def asks() -> Iterator[Ask]:
    """Every guarded route, with each of its bodies."""
    for method, route in guarded_routes():
        if route.pattern.startswith("ajax-api") or f"{method} {route.pattern}" in names_nothing.APART:
            continue
        module = route.view.__module__.removeprefix("apps.")
        parts = {name: part_of(route.pattern, kind, name) for kind, name in PART.findall(route.pattern)}
        bodies = BODIES.get(f"{method} {route.pattern}", {})
        for body in bodies if isinstance(bodies, list) else [bodies]:
            yield Ask(method, route.pattern, module, parts, body)


ASKS: dict[str, list[Ask]] = defaultdict(list)
for one in asks():
    ASKS[one.module].append(one)


@dataclass(frozen=True)
class Seen:
    """What came of a request, without what tells one id from another."""

    status: int
    said: str
    touched: frozenset[tuple[str, str]]
    added: tuple[tuple[str, int], ...]


class World:
    """Two projects with one of everything each; somebody who is an admin of one of them knocks."""

    def __init__(self, acme: Tenant, api: Api) -> None:
        mine = Project.objects.create(slug="proj-a", name="Ours")
        theirs = Project.objects.create(slug="proj-b", name=f"B {MARK}")
        self.knocker = speaking_as(acme, person_in({mine: "admin"}))
        self.owner = api(acme, "admin", project_id=theirs.pk)
        self.own = Maker(self.knocker).everything("proj-a", "ours")
        self.theirs = Maker(self.owner).everything("proj-b", MARK)
        self.never = never(self.theirs)

    def knock(self, ask: Ask, hole: tuple[tuple[Any, ...], str] | None = None, ids: Ids | None = None) -> Seen:
        """Call a route, let the worker read what runs say, and take it all back."""
        other = None if hole is None or ids is None else (*hole, ids)
        parts, body = filled([ask.parts, ask.body], self.own, other)
        with transaction.atomic():
            before = rows() if ask.method != "GET" or "@x-maestro-run" in body else Counter()
            answer = self.call(ask, parts, body)
            text = text_of(answer)
            if before:
                observe(AT)
                if ids is self.theirs:
                    self.check_owner()
            after = rows() if before else Counter()
            transaction.set_rollback(True)
        assert answer.status_code < 500 or answer.status_code == 501, (ask.route, text)
        added = Counter(table for table, _ in (after - before).elements())
        return Seen(
            answer.status_code, self.plain(answer, text), frozenset(before - after), tuple(sorted(added.items()))
        )

    def call(self, ask: Ask, parts: dict[str, str], body: dict[str, Any]) -> Any:
        address = "/" + PART.sub(lambda match: str(parts[match[2]]), ask.pattern)
        headers = {"idempotency-key": uuid.uuid4().hex, "if-match": "*", "x-request-id": "the-same"}
        headers |= {name[1:]: value for name, value in body.items() if name.startswith("@")}
        body = {name: value for name, value in body.items() if not name.startswith("@")}
        if ask.method == "GET":
            return self.knocker.get(address, body, headers=headers)
        if ask.method == "PUT" and "mlflow-artifacts" in address:
            return self.knocker.put(address, b"bytes", content_type=BYTES, headers=headers)
        return self.knocker.generic(
            ask.method, address, json.dumps(body), content_type="application/json", headers=headers
        )

    def plain(self, answer: Any, text: str) -> str:
        """An answer without ids, times and its own address."""
        if "json" in answer.get("Content-Type", "") and text[:1] == "{":
            told = json.loads(text)
            text = json.dumps({name: value for name, value in told.items() if name not in ("instance", "request_id")})
        text = TIME.sub("#", text.replace("%27", "'"))
        for ids in (self.theirs, self.never):
            for kind, value in sorted(ids.items(), key=lambda pair: -len(pair[1])):
                text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"<{kind}>", text)
        return CHANGING.sub("#", text)

    def check_owner(self) -> None:
        """Let B's owner delete what somebody else has just named."""
        with transaction.atomic():
            body = json.dumps({"name": self.theirs["artifact"]})
            path = f"{MLFLOW}registered-models/delete"
            gone = self.owner.generic("DELETE", path, body, content_type="application/json")
            transaction.set_rollback(True)
        assert gone.status_code == 200, gone.content


def rows() -> Counter[tuple[str, str]]:
    """Digest every row of the tenant, by table."""
    skipped = [name for name in state.NOT_STATE if name != "access_auditevent"]
    with connection.cursor() as cursor:
        cursor.execute(state.TABLES, [skipped])
        line = "SELECT '{0}', md5((to_jsonb(t) - %(skipped)s::text[])::text) FROM \"{0}\" t"
        parts = [line.format(name) for (name,) in cursor.fetchall()]
        cursor.execute(" UNION ALL ".join(parts), {"skipped": list(state.NOT_CHANGES)})
        return Counter((str(table), str(digest)) for table, digest in cursor.fetchall())


@pytest.mark.parametrize("module", sorted(ASKS))
def test_a_thing_of_another_project_is_one_that_never_was(acme: Tenant, api: Api, module: str) -> None:
    world = World(acme, api)
    faults: list[tuple[Any, ...]] = []
    for ask in ASKS[module]:
        plain = world.knock(ask)
        is_refused = ask.route in names_nothing.REFUSED
        if (plain.status >= 400) is not is_refused:
            faults.append((ask.route, "of one's own", plain.status, plain.said[:300]))
        for hole in ask.holes():
            foreign, missing = (world.knock(ask, hole, ids) for ids in (world.theirs, world.never))
            if foreign != missing or MARK in foreign.said:
                faults.append((ask.route, hole, foreign, missing))
    assert faults == [], "\n".join(map(str, faults))


def keys_with_holes(asked: list[Ask]) -> set[str]:
    """The fields that name things, with those that hold them."""
    return {
        str(step).lstrip("@") for ask in asked for place, _ in ask.holes() for step in place if isinstance(step, str)
    }


def of_room(module: str) -> list[Ask]:
    """What is sent to one room by one kind of door."""
    door = module.rpartition(".")[0]
    return [ask for name, asked in ASKS.items() if name.rpartition(".")[0] == door for ask in asked]


def unclassified(found: dict[str, set[str]], nothing: dict[str, str]) -> dict[str, list[str]]:
    """Fields that neither have a hole in an ask of their module nor are said to name nothing."""
    left = {}
    for name, fields in found.items():
        module, _, last = name.rpartition(".")
        home = module if last[0].isupper() else name  # a shape, or a module
        known = keys_with_holes(ASKS.get(home) or of_room(home))
        left[name] = sorted(fields - known - set(nothing.get(name, "").split()))
    return {name: fields for name, fields in left.items() if fields}


def test_every_field_of_the_mlflow_doors_is_classified() -> None:
    found = mlflow_fields()
    assert len(found) > 15
    assert unclassified(found, names_nothing.MLFLOW) == {}


def test_every_field_of_a_body_is_classified() -> None:
    found = dict(shapes())
    assert len(found) > 25
    assert unclassified(found, names_nothing.SHAPES) == {}


def test_every_parameter_of_a_query_is_classified() -> None:
    assert unclassified(query_fields(), names_nothing.QUERIES) == {}


def test_every_part_of_an_address_is_classified() -> None:
    parts = {name for _, route in guarded_routes() for _, name in PART.findall(route.pattern)}
    plain = {"sha256", "training", "question", "signature", "signing_key"}
    assert parts - set(ADDRESS) - set(PLAIN) == plain, "ADDRESS or PLAIN in asks.py"


def test_what_is_classified_is_there() -> None:
    routes = {f"{method} {route.pattern}" for method, route in guarded_routes()}
    listed = set(BODIES) | set(names_nothing.REFUSED) | set(names_nothing.APART)
    assert sorted(listed - routes) == []
    for found, nothing in (
        (mlflow_fields(), names_nothing.MLFLOW),
        (dict(shapes()), names_nothing.SHAPES),
        (query_fields(), names_nothing.QUERIES),
    ):
        gone = {name: set(words.split()) - found.get(name, set()) for name, words in nothing.items()}
        assert {name: words for name, words in gone.items() if words} == {}
