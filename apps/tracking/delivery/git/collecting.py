"""The tracking room: collecting a repository's whole history: sizes, landings, and lines that did not last, in two passes of git."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path

from django.db import transaction

from apps.tracking.delivery.git import commits, repository
from apps.tracking.delivery.git.commits import REVERTS, History, Size, Written
from apps.tracking.delivery.git.landings import Landing
from apps.tracking.delivery.git.repository import DIFF, MOST_COMMITS, Repository
from apps.tracking.delivery.git.rework import Hunk, Rework
from apps.tracking.models import Connection
from maestro.errors import Invalid
from maestro.principals import Actor

Tell = Callable[[str], None]
MARK, CUT = b"\x1e", b"\x1f"
COUNTS = re.compile(rb"(?<!\d)(\d{1,18}) (file|insertion|deletion)")
HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
STEP, TIDY = 5_000, 200
# Beyond it a file counts as binary, so that no diff takes more memory than this allows.
LARGE = ("-c", "core.bigFileThreshold=8m")


def parents_of(of: Repository) -> tuple[dict[str, tuple[str, ...]], dict[str, int]]:
    """Every commit that the head holds, with its parents and its date. Raises Invalid for too many."""
    parents: dict[str, tuple[str, ...]] = {}
    dates: dict[str, int] = {}
    for line in of.lines("log", "--format=%H%x1f%ct%x1f%P", of.head):
        sha, date, some = line.decode("ascii", "replace").rstrip("\n").split("\x1f")
        parents[sha], dates[sha] = tuple(some.split()), number(date)
        if len(parents) > MOST_COMMITS:
            raise Invalid(f"a history has at most {MOST_COMMITS:,} commits", "too_many_commits")
    return parents, dates


def number(text: str) -> int:
    """A date as git tells it; 0 for what is none."""
    return int(text) if text.isascii() and text.removeprefix("-").isdecimal() and len(text) < 19 else 0


def asked_sizes(of: Repository) -> tuple[str, ...]:
    """What git is asked for sizes; a merge's is that of none: its commits have theirs."""
    named = ("-c", f"mailmap.blob={of.head}:.mailmap")
    return (*named, *LARGE, "log", "--shortstat", *DIFF, "--format=%x1e%H%x1f%ct%x1f%aE%x1f%aN%x1f%s", of.head)


def sizes_of(lines: Iterable[bytes]) -> Iterator[Size]:
    """Every commit with its size."""
    head = b""
    counts: dict[bytes, int] = {}
    for line in lines:
        if line.startswith(MARK):
            if head:
                yield size_of(head, counts)
            head, counts = line, {}
        else:
            counts |= {kind: int(many) for many, kind in COUNTS.findall(line)}
    if head:
        yield size_of(head, counts)


def size_of(line: bytes, counts: dict[bytes, int]) -> Size:
    """Read a commit's line; what is no UTF-8 is replaced."""
    sha, date, email, name, subject = (line[1:].rstrip(b"\n").split(CUT, 4) + [b""] * 4)[:5]
    return Size(
        sha=sha.decode("ascii", "replace"),
        committed=number(date.decode("ascii", "replace")),
        email=email.decode(errors="replace"),
        name=name.decode(errors="replace"),
        is_revert=subject.decode(errors="replace").startswith(REVERTS),
        files=counts.get(b"file", 0),
        additions=counts.get(b"insertion", 0),
        deletions=counts.get(b"deletion", 0),
    )


def reworked(of: Repository, landed: dict[str, Landing], tell: Tell) -> dict[str, tuple[int, int]]:
    """Of each commit of the main line: how many lines it gained by it, and how many of those went again within 21 days."""
    found, order = Rework(), []
    arguments = ("log", "--first-parent", "--diff-merges=first-parent", "--reverse", "-p", "-U0", "--no-prefix")
    patch = Patch(found)
    for line in of.lines(*LARGE, *arguments, *DIFF, "--format=%x1e%H", of.head):
        if not line.startswith(MARK):
            patch.read(line)
            continue
        patch.end()
        sha = line[1:].strip().decode("ascii", "replace")
        order.append(sha)
        if found.begin(landed[sha].at) % TIDY == TIDY - 1:
            found.settle()
        if len(order) % STEP == 0:
            tell(f"{len(order):,} commits of the main line looked at for lines that went again")
    patch.end()
    return {sha: (found.added[place], found.undone[place]) for place, sha in enumerate(order)}


class Patch:
    """Reads a patch without context, file by file."""

    def __init__(self, found: Rework) -> None:
        self.found = found
        self.clear()

    def clear(self) -> None:
        """A file begins."""
        self.old, self.new, self.skip = b"", b"", 0
        self.hunks: list[Hunk] = []

    def end(self) -> None:
        """A file ends: its hunks are told."""
        if self.old and self.new and self.old != self.new:
            self.found.rename(self.old, self.new)
        if self.hunks:
            self.found.change(self.new or self.old, self.hunks)
        self.clear()

    def read(self, line: bytes) -> None:
        """Read a line."""
        if self.skip and line[:1] in (b"+", b"-"):
            self.skip -= 1
        elif line.startswith(b"@@ ") and (match := HUNK.match(line)):
            start, removed, added = (int(one or 1) for one in match.groups())
            self.skip = removed + added
            self.hunks.append(Hunk(start, removed, added))
        elif line.startswith(b"diff --git "):
            self.end()
        elif line.startswith((b"--- ", b"rename from ")):
            self.old = self.path(line)
        elif line.startswith((b"+++ ", b"rename to ")):
            self.new = self.path(line)

    @staticmethod
    def path(line: bytes) -> bytes:
        """The path of a header line; empty for none."""
        name = line[4:] if line[:4] in (b"--- ", b"+++ ") else line.partition(b" ")[2].partition(b" ")[2]
        return b"" if name.rstrip() == b"/dev/null" else name.rstrip(b"\t\n")


def collect(of: Connection, path: Path, ref: str, *, by: Actor, at: datetime, tell: Tell) -> Written:
    """Collect a repository's, or a bundle's, whole history; what an earlier one had and this does not is forgotten.

    All of it is written, or nothing. Raises Invalid.
    """
    with repository.opened(path, ref) as opened, opened.spooled(*asked_sizes(opened)) as sizes:
        parents, dates = parents_of(opened)
        history = commits.history_of(opened.head, parents, dates, at)
        tell(f"{len(parents):,} commits, {sum(one.is_main for one in history.landed.values()):,} of the main line")
        lost = reworked(opened, dict(history.landed), tell)
        with transaction.atomic():
            # One collection of a repository at a time.
            Connection.objects.select_for_update().get(pk=of.pk)
            history = History(history.landed, history.merges, lost)
            written = commits.write(of, sizes_of(sizes()), history, at=at, tell=progress(tell))
            written.gone = commits.drop_gone(of, history, at)
            commits.note(of, written, by=by)
    return written


def progress(tell: Tell) -> Callable[[int], None]:
    """Say how many are written, now and then."""
    return lambda many: tell(f"{many:,} commits written") if many % (5 * commits.AT_ONCE) == 0 else None
