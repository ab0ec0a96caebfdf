"""The bounds of a JSON document's shape are found in pieces, and as if it were read sign by sign."""

import random

import pytest

from maestro import limits
from maestro.api import json
from maestro.errors import MaestroError

PARTS = (b"[", b"]", b"{", b"}", b",", b'"', b"\\", b"a", b'"x"', b'"\\""', b"\xff", b"[" * 10, b"," * 10, b"]" * 5)
MOST = 40


def sign_by_sign(body: bytes) -> str:
    """Which bound is passed first."""
    depth = items = at = 0
    while at < len(body):
        sign = body[at : at + 1]
        at += 1
        if sign == b'"':
            while at < len(body) and body[at : at + 1] != b'"':
                at += 2 if body[at : at + 1] == b"\\" else 1
            at += 1
        depth += (sign in (b"[", b"{")) - (sign in (b"]", b"}"))
        items += sign == b","
        if depth > limits.JSON_DEPTH:
            return "too_deep"
        if items > MOST:
            return "too_many_items"
    return ""


def found(body: bytes) -> str:
    try:
        json.check_shape(body, MOST)
    except MaestroError as refusal:
        return refusal.code
    return ""


def test_any_document_is_refused_as_if_read_sign_by_sign() -> None:
    made, seen = random.Random(11), set()  # noqa: S311 the same documents each time
    for _ in range(20_000):
        body = b"[" * made.choice([0, 0, 62, 64]) + b"".join(made.choices(PARTS, k=made.randrange(60)))
        seen.add(found(body))
        assert found(body) == sign_by_sign(body), body
    assert seen == {"", "too_deep", "too_many_items"}


@pytest.mark.parametrize("filling", [b'"' + b"x," * 3_000 + b'"', b" " * 600_000, b'"short"' * 5_000], ids=len)
def test_depth_and_items_are_counted_on_across_pieces(filling: bytes) -> None:
    half, few = b"[" * (limits.JSON_DEPTH // 2), b"," * (MOST // 2)
    assert found(half + filling + half + b",,") == ""
    assert found(half + filling + half + b"[") == "too_deep"
    assert found(half + b"[" * 40 + b"]" * 40) == "too_deep"
    assert found(half * 2 + few + filling + few) == ""
    assert found(half * 2 + few + filling + few + b",") == "too_many_items"
