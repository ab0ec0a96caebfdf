"""The tracking room: how many lines that were added are deleted again within 21 days. Pure.

Each file is kept as segments of lines that were added at one time by one commit of the main line; lines that are older than
21 days, or whose file was never touched, are one kind: settled. So memory is that of what changed lately.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

SECONDS = 21 * 86_400
SETTLED = -1
MOST_LINES = 2**31
Segment = list[int]  # how many lines, and the number of the commit that added them


@dataclass(frozen=True)
class Hunk:
    """Lines of a file that give way to others: from which (the old file's), how many, and how many come."""

    start: int
    removed: int
    added: int


@dataclass
class Rework:
    """The files of a main line as they go."""

    files: dict[bytes, list[Segment]] = field(default_factory=dict)
    times: list[int] = field(default_factory=list)
    added: Counter[int] = field(default_factory=Counter)
    undone: Counter[int] = field(default_factory=Counter)

    def begin(self, at: int) -> int:
        """A commit of the main line begins; returns its number."""
        self.times.append(at)
        return len(self.times) - 1

    def change(self, path: bytes, hunks: Iterable[Hunk]) -> None:
        """A file changes in the commit that began last; the hunks come in order."""
        now = len(self.times) - 1
        old, at = iter(self.files.pop(path, [[MOST_LINES, SETTLED]])), 1
        new: list[Segment] = []
        held: Segment | None = next(old, None)
        for hunk in hunks:
            # A hunk that removes nothing stands after the line that it names.
            begin = hunk.start + (hunk.removed == 0)
            while held is not None and at < begin:
                held, at = self.keep(held, begin - at, at, new, old)
            left = hunk.removed
            while held is not None and left > 0:
                some = min(held[0], left)
                self.undo(held[1], some, now)
                left, at, held[0] = left - some, at + some, held[0] - some
                held = held if held[0] else next(old, None)
            if hunk.added:
                new.append([hunk.added, now])
                self.added[now] += hunk.added
        rest = [] if held is None else [held, *old]
        self.put(path, [*new, *rest])

    @staticmethod
    def keep(
        held: Segment, many: int, at: int, new: list[Segment], old: Iterable[Segment]
    ) -> tuple[Segment | None, int]:
        """Let lines stay as they are; returns what is held then, and where."""
        some = min(held[0], many)
        new.append([some, held[1]])
        held[0] -= some
        return (held if held[0] else next(iter(old), None)), at + some

    def undo(self, adder: int, lines: int, now: int) -> None:
        """Lines go; count them if they are young."""
        if adder != SETTLED and self.times[now] - self.times[adder] <= SECONDS:
            self.undone[adder] += lines

    def put(self, path: bytes, segments: list[Segment]) -> None:
        """Keep a file, with what is settled as one; a file of settled lines alone need not be kept."""
        oldest = self.times[-1] - SECONDS
        merged: list[Segment] = []
        for lines, adder in segments:
            kind = SETTLED if adder == SETTLED or self.times[adder] < oldest else adder
            if merged and merged[-1][1] == kind:
                merged[-1][0] += lines
            elif lines:
                merged.append([lines, kind])
        if any(kind != SETTLED for _, kind in merged):
            self.files[path] = merged

    def remove(self, path: bytes) -> None:
        """A file went, its lines with it; what a diff says of each line is told by `change` before."""
        self.files.pop(path, None)

    def rename(self, path: bytes, to: bytes) -> None:
        """A file goes on under another name."""
        if path in self.files:
            self.files[to] = self.files.pop(path)

    def settle(self) -> None:
        """Forget files in which nothing is young any more."""
        oldest = self.times[-1] - SECONDS
        for path in [
            p for p, some in self.files.items() if all(k == SETTLED or self.times[k] < oldest for _, k in some)
        ]:
            del self.files[path]
