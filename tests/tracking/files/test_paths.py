"""The one way to a file's name: what can leave its folder, in any spelling, never passes."""

import posixpath
from pathlib import Path, PureWindowsPath
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.tracking.files.paths import clean_artifact_path, clean_directory
from maestro.errors import Invalid

PIECES = [
    "..",
    ".",
    "",
    "a",
    "model",
    "%2e%2e",
    "..%2f",
    "%252e",
    "\\",
    "..\\",
    "~",
    "C:",
    "\x00",
    "é",
    "\u202e",
    "/",
    "#",
    ";",
    "?",
]


@pytest.mark.parametrize(
    "path",
    [
        "a",
        "a/b.txt",
        "model/MLmodel",
        "ünï/ço dé.txt",
        "a;b",
        "a?b",
        "a b",
        "日本/語",
        ".hidden",
        "...",
        "a" * 255,
        *"%?#",
        "100%",
        "a%20b",
        "a#b",
        "a%2fb",
        "a%5cb",
        "a%00b",
        "x%step%0%timestamp%1717%2f9c.png",
    ],
)
def test_a_plain_path_passes_unchanged(path: str) -> None:
    assert clean_artifact_path(path) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/etc/passwd",
        "..",
        "../x",
        "a/../x",
        "a/..",
        "./a",
        "a//b",
        "a/",
        "%2e%2e/x",
        "%252e%252e/x",
        "a%2f..%2f..%2fb",
        "%5c%5chost/x",
        "%7eroot",
        "c%3a/x",
        "%25252525252e%2e/x",
        "..\\x",
        "a\\..\\x",
        "~root/x",
        "C:/x",
        "c:x",
        "file:///etc/passwd",
        "file:/etc",
        "http://x/y",
        "a\x00b",
        "a\nb",
        "a\x7fb",
        "a\x85b",
        "a\ud800b",
        "a" * 256,
        "é" * 128,
        "/".join(["a" * 200] * 6),
    ],
)
def test_a_path_that_could_leave_its_folder_is_refused(path: str) -> None:
    with pytest.raises(Invalid, match="the path"):
        clean_artifact_path(path)


@settings(max_examples=2_000, deadline=None)
@given(st.one_of(st.lists(st.sampled_from(PIECES), max_size=8).map("/".join), st.text(max_size=40)))
def test_whatever_passes_stays_below_its_folder_on_every_system(path: str) -> None:
    try:
        cleaned = clean_artifact_path(path)
    except Invalid:
        return
    assert cleaned == path
    assert posixpath.normpath(f"/root/{cleaned}") == f"/root/{cleaned}"
    assert Path("/root", cleaned).is_relative_to("/root")
    assert "\\" not in cleaned
    assert len(cleaned.encode()) <= 1024


def test_of_a_hundred_thousand_names_none_leaves_its_folder() -> None:
    chance, passed = Random(7), 0  # noqa: S311 the same names every time
    for _ in range(100_000):
        path = chance.choice(["/", "", "\\"]).join(chance.choices(PIECES, k=chance.randint(1, 6)))
        try:
            clean_artifact_path(path)
        except Invalid:
            continue
        passed += 1
        assert posixpath.normpath(f"/root/{path}") == f"/root/{path}", path
        assert not PureWindowsPath(path).is_absolute()
        assert not PureWindowsPath(path).drive
    assert passed > 1_000


def test_a_folder_may_be_the_root_and_may_end_in_a_slash() -> None:
    assert (clean_directory(""), clean_directory("a/b/")) == ("", "a/b")
    with pytest.raises(Invalid):
        clean_directory("a//")
