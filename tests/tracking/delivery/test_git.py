"""A repository's history: sizes, landings and lines that did not last; read by git without obeying it; and CI's report of it."""

import random
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django_tenants.utils import tenant_context

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.delivery import connections, rules
from apps.tracking.delivery.git import collecting, commits
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.delivery.git.landings import Landing, landings
from apps.tracking.delivery.git.rework import Hunk, Rework
from apps.tracking.models import Commit, CommitLines, Connection, Project
from maestro.errors import Conflict, Invalid, NotFound
from tests.factories.repositories import Story
from tests.tracking.delivery.test_reading import SYSTEM, connected

NOW = datetime(2026, 8, 1, tzinfo=UTC)
BEGIN = datetime(2026, 5, 4, 9, tzinfo=UTC)
DAY = 86_400


@pytest.fixture
def story(tmp_path: Path) -> Story:
    return Story(tmp_path / "repo.git")


@pytest.fixture
def of(acme: Tenant) -> Connection:
    return connections.make_git(Project.objects.create(slug="churn", name="Churn"), by=SYSTEM)


def collect(of: Connection, path: Path, ref: str = "main", at: datetime = NOW) -> commits.Written:
    return collecting.collect(of, path, ref, by=SYSTEM, at=at, tell=lambda line: None)


def at(days: float) -> int:
    return int((BEGIN + timedelta(days=days)).timestamp())


def numbered(*numbers: int) -> str:
    return "".join(f"line {number}\n" for number in numbers)


def test_lines_are_followed_as_they_move(story: Story, of: Connection) -> None:
    story.commit(at(0), {"a": numbered(*range(10))})
    story.commit(at(1), {"a": numbered(99, *range(3), *range(5, 10))})  # two of the first go, one comes
    story.commit(at(2), {"b": numbered(99, *range(3), *range(5, 10)), "a": None})  # renamed
    story.commit(at(15), {"b": numbered(*range(3), 7, 8, 9)})  # two more of the first go within 21 days, and 99
    story.commit(at(40), {"b": numbered(7)})  # too late
    assert collect(of, story.make()).commits == 5
    rows = list(CommitLines.objects.order_by("landed_at").values_list("landed_additions", "reworked", "additions"))
    assert rows == [(10, 4, 10), (1, 1, 1), (0, 0, 0), (0, 0, 0), (0, 0, 0)]
    measured = commit_measures.measures([of.project_id], BEGIN - timedelta(days=1), NOW)["rework_churn"]
    assert (measured.n, measured.value) == (2, 5 / 11)


def brute(versions: list[tuple[int, list[str]]]) -> dict[int, tuple[int, int]]:
    """What following each line by hand says, where every line has a text of its own."""
    added = {line: number for number, (_, lines) in reversed(list(enumerate(versions))) for line in lines}
    gone: dict[str, int] = {}
    for number in range(1, len(versions)):
        for line in set(versions[number - 1][1]) - set(versions[number][1]):
            gone[line] = number
    found = {number: (0, 0) for number in range(len(versions))}
    for line, number in added.items():
        lost = line in gone and versions[gone[line]][0] - versions[number][0] <= 21 * DAY
        found[number] = (found[number][0] + 1, found[number][1] + lost)
    return found


def test_any_history_of_a_file_is_followed_as_by_hand(story: Story, of: Connection) -> None:
    chance, fresh = random.Random(4), iter(range(100_000))  # noqa: S311 a seeded history
    lines: list[str] = []
    versions: list[tuple[int, list[str]]] = []
    for number in range(60):
        for _ in range(chance.randrange(1, 6)):
            place, gone = chance.randrange(len(lines) + 1), chance.randrange(4)
            lines[place : place + gone] = [f"{next(fresh)}" for _ in range(chance.randrange(4))]
        versions.append((at(number * 3), [*lines]))
        story.commit(versions[-1][0], {"a": "".join(f"{line}\n" for line in lines)})
    collect(of, story.make(), at=NOW + timedelta(days=300))
    rows = CommitLines.objects.order_by("landed_at").values_list("landed_additions", "reworked")
    expected = brute(versions)
    assert list(rows) == [expected[number] for number in range(60)]


def test_a_branch_lands_with_its_merge_and_an_octopus_brings_all(story: Story, of: Connection) -> None:
    first = story.commit(at(0), {"a": "1\n"})
    arms = [story.commit(at(1 + arm), {f"arm{arm}": "1\n"}, parents=(first,)) for arm in range(4)]
    story.commit(at(9), {f"arm{arm}": "1\n" for arm in range(4)}, parents=(first, *arms))
    assert collect(of, story.make()).commits == 6
    landed = {(row.landed_at - BEGIN).days for row in CommitLines.objects.all()}
    assert landed == {0, 9}
    merge = CommitLines.objects.get(is_merge=True)
    assert (merge.landed_additions, merge.additions) == (4, 0)
    assert CommitLines.objects.filter(landed_additions=None).count() == 4
    places = Commit.objects.filter(pushed_at=merge.landed_at).order_by("place").values_list("is_merge", flat=True)
    assert list(places) == [False] * 4 + [True]


def test_dates_that_cannot_be_are_said_and_not_measured(story: Story, of: Connection) -> None:
    for when in (0, at(1), 4_102_444_800, at(2), 99_999_999_999_999, at(3)):  # 1970, 2100, and further
        story.commit(when, {"a": f"{when}\n"})
    assert collect(of, story.make()) == commits.Written(commits=6, odd_dates=3)
    assert CommitLines.objects.filter(is_odd=True).count() == 3
    assert Commit.objects.count() == 3
    weeks = commit_measures.weekly(None, datetime(1960, 1, 1, tzinfo=UTC), datetime(2300, 1, 1, tzinfo=UTC))
    assert sum(week.commits for week in weeks) == 3


def test_people_are_whom_the_mailmap_makes_them_and_none_is_named(story: Story, of: Connection) -> None:
    circle = "Ada <ada@example.org> <ada@home>\nBea <ada@home> <bea@x>\nBea <bea@x> <ada@home>\n\xff broken\n"
    story.commit(at(0), {".mailmap": circle, "a": "1\n"}, who=b"Ada <ada@example.org>")
    story.commit(at(1), {"a": "2\n"}, who=b"Ad\xff\xfea <ADA@example.org>", message=b"\xff\xfe no UTF-8")
    story.commit(at(2), {"a": "3\n"}, who=b"robot[bot] <1+robot[bot]@x>", message=b'Revert "it"')
    story.commit(at(3), {"a": "4\n"}, who=b"bea <bea@x>")
    collect(of, story.make())
    rows = list(CommitLines.objects.order_by("landed_at"))
    assert rows[0].author == rows[1].author != rows[3].author
    assert [(row.is_bot, row.is_revert) for row in rows] == [(False,) * 2, (False,) * 2, (True,) * 2, (False,) * 2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(t::text, '') FROM tracking_commitlines t")
        told = cursor.fetchone()[0].lower()
    assert not any(name in told for name in ("ada", "bea@", "example.org", "robot"))


def test_submodules_odd_names_and_binary_files_are_read(story: Story, of: Connection) -> None:
    module = b"M 160000 %s sub\n" % (b"1" * 40)
    story.commit(
        at(0), {'"a\\tb \\303\\244\\377"': "1\n", "sp ace": "-- x\n++ y\n@@ -1 +1 @@\ndiff --git\n"}, raw=module
    )
    story.commit(at(1), {"sp ace": "1\n", "bin": "\x00\x01" * 500}, raw=module.replace(b"1" * 40, b"2" * 40))
    collect(of, story.make())
    rows = CommitLines.objects.order_by("landed_at").values_list("files", "additions", "landed_additions", "reworked")
    assert list(rows) == [(2, 5, 5, 4), (2, 1, 1, 0)]


def test_a_forced_push_forgets_what_is_gone_and_again_changes_nothing(story: Story, of: Connection) -> None:
    for day in range(5):
        story.commit(at(day), {"a": f"{day}\n"})
    path = story.make()
    collect(of, path)
    before = list(CommitLines.objects.order_by("pk").values())
    collect(of, path)
    assert list(CommitLines.objects.order_by("pk").values()) == before
    subprocess.run(["git", f"--git-dir={path}", "update-ref", "refs/heads/main", "main~2"], check=True)
    later = NOW + timedelta(hours=1)
    done = collect(of, path, "main", later)
    assert (done.commits, done.gone) == (3, 0)  # what lies after the head may be news that this clone lacks
    story.said.clear()
    story.commit(at(9), {"a": "new\n"}, parents=())
    story.make()
    done = collect(of, path, "main", later + timedelta(hours=1))
    assert (done.commits, done.gone) == (1, 5)
    assert AuditEvent.objects.filter(action="git.collect").count() == 4


def test_a_bundle_is_collected_and_broken_ones_are_refused(story: Story, of: Connection, tmp_path: Path) -> None:
    for day in range(3):
        story.commit(at(day), {"a": f"{day}\n"})
    path, bundle = story.make(), tmp_path / "b.bundle"
    subprocess.run(["git", f"--git-dir={path}", "bundle", "create", "-q", str(bundle), "main"], check=True)
    assert collect(of, bundle).commits == 3
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{path}", str(shallow)], check=True)
    (tmp_path / "empty.bundle").write_bytes(b"")
    (tmp_path / "folder").mkdir()
    (tmp_path / "torn").write_bytes(bundle.read_bytes()[:-40])
    bad = [
        (shallow, "HEAD"),
        (tmp_path / "empty.bundle", "main"),
        (tmp_path / "folder", "HEAD"),
        (tmp_path / "torn", "main"),
    ]
    bad += [(path, ref) for ref in ("nowhere", "--upload-pack=x", "-x", "a b", "main:a", "", "x" * 300)]
    for place, ref in [*bad, (bundle, "nowhere")]:
        with pytest.raises(Invalid):
            collect(of, place, ref)
    assert CommitLines.objects.count() == 3


def test_nothing_that_a_repository_names_is_run(story: Story, of: Connection, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    evil = f"#!/bin/sh\ntouch {ran}\n"
    (tmp_path / "evil").write_text(evil)
    (tmp_path / "evil").chmod(0o755)
    story.commit(at(0), {".gitattributes": "* diff=evil filter=evil\n", "a": "1\n"})
    path = story.make()
    for name in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.evil.command",
        "diff.evil.textconv",
        "gpg.program",
    ):
        subprocess.run(["git", f"--git-dir={path}", "config", name, str(tmp_path / "evil")], check=True)
    subprocess.run(["git", f"--git-dir={path}", "config", "log.showSignature", "true"], check=True)
    assert collect(of, path).commits == 1
    assert not ran.exists()


def test_the_command_tells_what_it_did_and_what_is_wrong(
    story: Story, acme: Tenant, capsys: pytest.CaptureFixture[str]
) -> None:
    project = Project.objects.create(slug="churn", name="Churn")
    story.commit(at(0), {"a": "1\n"})
    path = str(story.make())
    call_command("collect_git", path, "--tenant", "acme", "--project", "churn", "--output", "json")
    out = capsys.readouterr()
    assert '"commits": 1' in out.out
    assert "of the main line" in out.err
    for arguments in (
        [path, "--project", "nowhere"],
        [path, "--project", "churn", "--connection", "nonsense"],
        [path, "--project", "churn", "--connection", "01000000-0000-7000-8000-000000000000"],
        ["/nowhere", "--project", "churn"],
    ):
        with pytest.raises(CommandError):
            call_command("collect_git", *arguments, "--tenant", "acme")
    with tenant_context(acme):  # a command leaves its caller without a tenant
        connections.make(project, "github", "second", by=SYSTEM)
    with pytest.raises(CommandError, match="several open connections"):
        call_command("collect_git", path, "--tenant", "acme", "--project", "churn")


def test_a_history_of_kind_git_is_no_forge(acme: Tenant, of: Connection) -> None:
    assert rules.in_force(of.project).source == "alias"
    with pytest.raises(NotFound):
        connections.at_address(of.address)
    forge = connected("github")
    assert commits.home_of(forge.project, by=SYSTEM) == forge
    connections.make(forge.project, "gitlab", "b", by=SYSTEM)
    with pytest.raises(Conflict):
        commits.home_of(forge.project, by=SYSTEM)


def test_landings_of_what_is_no_history_end() -> None:
    circle = {"a": ("b", "c"), "b": ("a",), "c": ("c", "a", "nowhere")}
    dates = dict.fromkeys(circle, 1_700_000_000)
    assert {sha for sha, _ in landings("a", circle, dates, 1_800_000_000)} == set(circle)
    assert dict(landings("nowhere", circle, dates, 1_800_000_000)) == {}
    assert dict(landings("b", {"b": ()}, {"b": 5}, 9)) == {"b": Landing(631_152_000, 0, True)}


def test_a_file_that_is_settled_is_forgotten() -> None:
    found = Rework()
    found.begin(0)
    for number in range(100):
        found.change(b"%d" % number, [Hunk(0, 0, 10)])
    found.begin(30 * DAY)
    found.change(b"0", [Hunk(3, 2, 1)])
    found.settle()
    assert set(found.files) == {b"0"}
    assert (found.added[0], found.undone[0]) == (1_000, 0)


def test_how_few_made_half_of_the_commits() -> None:
    assert commit_measures.smallest_half([]) == 0
    assert commit_measures.smallest_half([5, 3, 2]) == 1
    assert commit_measures.smallest_half([3, 3, 3, 3]) == 2
