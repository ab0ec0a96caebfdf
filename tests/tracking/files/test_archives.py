"""Many files as one: whole, in order, the same bytes each time, and as long as was said before."""

import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator

import pytest

from apps.tracking.files import archives
from apps.tracking.files.archives import Member
from maestro.errors import NotFound

FILES = {
    "b.txt": b"two",
    "a/deep/er.bin": os.urandom(70_000),
    "a/empty": b"",
    "95%_ci #1?.png": b"x",
    "ü/" + "n" * 180: b"long",
}


@pytest.fixture
def members() -> list[Member]:
    """Files whose bytes are in memory."""
    rows = [Member(path, path, hashlib.sha256(body).hexdigest(), len(body)) for path, body in FILES.items()]
    return sorted(rows, key=lambda one: one.path)


def kept(member: Member) -> Iterator[bytes]:
    body = FILES[member.path]
    yield from (body[start : start + 999] for start in range(0, len(body), 999))


@pytest.mark.parametrize("kind", archives.KINDS)
def test_an_archive_holds_the_files_and_is_the_same_each_time(members: list[Member], kind: str) -> None:
    first, again = (b"".join(archives.archive(kind, members, kept).pieces()) for _ in range(2))
    made = archives.archive(kind, members)
    assert first == again
    assert made.size_bytes == len(first)
    assert opened(kind, first) == FILES
    assert made.mark.endswith(kind)
    assert archives.archive(kind, members[1:]).mark != made.mark


def opened(kind: str, body: bytes) -> dict[str, bytes]:
    if kind == "zip":
        with zipfile.ZipFile(io.BytesIO(body)) as file:
            assert file.testzip() is None
            assert file.namelist() == sorted(FILES)
            return {name: file.read(name) for name in file.namelist()}
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        assert tar.getnames() == sorted(FILES)
        files = {one.name: tar.extractfile(one) for one in tar.getmembers()}
        return {name: file.read() for name, file in files.items() if file}


@pytest.mark.slow
def test_of_very_many_files_the_length_is_right() -> None:
    members = [Member(f"f/{number:06}", "x", "0" * 64, 1) for number in range(zipfile.ZIP_FILECOUNT_LIMIT + 2)]
    made = archives.archive("zip", members, lambda member: iter([b"x"]))
    assert sum(map(len, made.pieces())) == made.size_bytes


@pytest.mark.slow
def test_beyond_what_old_zips_could_hold_the_length_is_right() -> None:
    block = bytes(2**24)

    def zeros(member: Member) -> Iterator[bytes]:
        yield from (block[: member.size_bytes - at] for at in range(0, member.size_bytes, len(block)))

    members = [Member(name, "x", "0" * 64, size) for name, size in (("a", 2**31 + 5), ("b", 7), ("c", 2**31 - 10))]
    made = archives.archive("zip", members, zeros)
    assert sum(map(len, made.pieces())) == made.size_bytes


def test_there_is_no_other_kind(members: list[Member]) -> None:
    with pytest.raises(NotFound, match="zip or tar"):
        archives.archive("rar", members)
