"""The tracking room: commits with their sizes, as a clone or a CI job tells them, written down once however often they come."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice

from django.db import transaction

from apps.tenants.access.audit.recording import record
from apps.tracking.actions import Act
from apps.tracking.delivery import connections, facts
from apps.tracking.delivery.facts import Fact
from apps.tracking.delivery.git.landings import LEAST, Landing, is_odd, landings
from apps.tracking.delivery.payloads import pseudonym
from apps.tracking.models import Commit, CommitLines, Connection, Project
from maestro.errors import Conflict
from maestro.principals import Actor

AT_ONCE = 2_000
REVERTS = ('Revert "', "revert:", "revert(")
MOST = 2**62


@dataclass(frozen=True)
class Size:
    """A commit as `git log` tells it. Dates in seconds since the epoch; of who wrote it, what mailmap makes of it."""

    sha: str
    committed: int
    email: str
    name: str
    is_revert: bool
    files: int = 0
    additions: int = 0
    deletions: int = 0

    @property
    def is_bot(self) -> bool:
        """Whether a program wrote it, by its own name."""
        return self.name.endswith("[bot]") or "[bot]@" in self.email


@dataclass(frozen=True)
class History:
    """Where commits landed: their landings by id, which are merges, and what the main line gained and lost by each."""

    landed: Mapping[str, Landing]
    merges: frozenset[str]
    reworked: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Written:
    """What was written."""

    commits: int = 0
    odd_dates: int = 0
    gone: int = 0


def history_of(head: str, parents: Mapping[str, tuple[str, ...]], dates: Mapping[str, int], now: datetime) -> History:
    """Find where commits landed, by their parents."""
    merges = frozenset(sha for sha, some in parents.items() if len(some) > 1)
    return History(dict(landings(head, parents, dates, int(now.timestamp()))), merges)


def home_of(project: Project, *, by: Actor) -> Connection:
    """The connection that a project's commits belong to: its only open one, or else one of kind git, which is made.

    Raises Conflict where there are several, Forbidden.
    """
    found = list(Connection.objects.open().filter(project=project).order_by("created_at")[:2])
    if len(found) > 1:
        raise Conflict("this project has several open connections; say which repository it is", "several_connections")
    return found[0] if found else connections.make_git(project, by=by)


def facts_of(of: Connection, sizes: Iterable[Size], history: History, at: datetime) -> Iterator[tuple[Fact, ...]]:
    """What is written of each commit: its lines, and where it landed, so that deployments find it."""
    now = int(at.timestamp())
    for one in sizes:
        landing = history.landed.get(one.sha)
        if landing is None:
            continue
        odd = is_odd(one.committed, now)
        landed_at = datetime.fromtimestamp(landing.at, UTC)
        gained, lost = history.reworked.get(one.sha, (None, None))
        common = {
            "sha": one.sha,
            "author": pseudonym(of, one.email.lower() or one.name),
            "committed_at": landed_at if odd else datetime.fromtimestamp(one.committed, UTC),
            "is_merge": one.sha in history.merges,
            "is_bot": one.is_bot,
            "is_revert": one.is_revert,
        }
        sizes_told = {"files": one.files, "additions": one.additions, "deletions": one.deletions}
        lines = (
            common | sizes_told | {"landed_at": landed_at, "is_odd": odd, "landed_additions": gained, "reworked": lost}
        )
        told = Fact(CommitLines, one.sha, at, lines)
        place = common | {"pushed_at": landed_at, "place": landing.place}
        yield (told,) if odd else (told, Fact(Commit, one.sha, common["committed_at"], place))  # type: ignore[arg-type]


def write(
    of: Connection, sizes: Iterable[Size], history: History, *, at: datetime, tell: Callable[[int], None] | None = None
) -> Written:
    """Write commits down. The caller holds a transaction."""
    written, pairs = Written(), facts_of(of, sizes, history, at)
    while some := list(islice(pairs, AT_ONCE)):
        facts.write(of, [fact for pair in some for fact in pair])
        written.commits += len(some)
        written.odd_dates += sum(len(pair) == 1 for pair in some)
        if tell is not None:
            tell(written.commits)
    return written


def report(
    project: Project,
    sizes: Iterable[Size],
    parents: Mapping[str, tuple[str, ...]],
    head: str,
    *,
    by: Actor,
    at: datetime,
) -> Written:
    """Take what a CI job tells of new commits. The same again changes nothing. Raises Conflict, Forbidden."""
    told = list(sizes)
    history = history_of(head, parents, {one.sha: one.committed for one in told}, at)
    with transaction.atomic():
        of = home_of(project, by=by)
        return write(of, told, history, at=at)


def drop_gone(of: Connection, history: History, at: datetime) -> int:
    """Forget the sizes of commits that a whole history does not hold any more, as after a forced push."""
    last = max((landing.at for landing in history.landed.values()), default=LEAST)
    rows = CommitLines.objects.filter(connection=of, as_of__lt=at, landed_at__lte=datetime.fromtimestamp(last, UTC))
    return rows.delete()[0]


def note(of: Connection, written: Written, *, by: Actor) -> None:
    """Say in the log that a history was read."""
    record(by, Act.GIT_COLLECT, subject=of, after={"commits": written.commits, "gone": written.gone})


def newest(project: Project) -> str:
    """The commit that landed last, of a project's only open connection; empty for none."""
    rows = CommitLines.objects.filter(connection__project=project, connection__closed_at=None).order_by(
        "-landed_at", "-committed_at"
    )
    return rows.values_list("sha", flat=True).first() or ""
