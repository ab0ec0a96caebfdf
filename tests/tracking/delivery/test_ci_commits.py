"""What CI tells of commits: in any order, twice, and wrong; and what the client says of a repository."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.delivery.git import measures as commit_measures
from apps.tracking.models import CommitLines, Connection, Project
from tests.factories.repositories import Story
from tests.playing import as_json, playing
from tests.registry.client.conftest import run_client
from tests.tracking.delivery.test_git import BEGIN, NOW, at


def told(number: int, parents: list[int], **facts: Any) -> dict[str, Any]:
    """A commit as a CI job tells it."""
    plain = {"id": f"{number:040x}", "parents": [f"{one:040x}" for one in parents], "committed": at(number)}
    return plain | {"email": "ada@example.org", "name": "Ada", "files": 1, "additions": 5, "deletions": 1} | facts


def bad_reports() -> Iterator[tuple[str, Any]]:
    good = told(1, [])
    yield "no head", {"commits": [good]}
    yield "none", {"head": good["id"], "commits": []}
    yield "too many", {"head": good["id"], "commits": [good] * 2_001}
    for name, value in (
        ("id", "HEAD"),
        ("id", 5),
        ("parents", ["x"]),
        ("parents", ["a" * 40] * 101),
        ("committed", "yesterday"),
        ("committed", 2**63),
        ("email", None),
        ("email", "x" * 251),
        ("name", "a\x00b"),
        ("additions", -1),
        ("additions", 2**62),
        ("is_revert", "yes"),
        ("message", "secret"),
    ):
        yield f"{name} {str(value)[:20]}", {"head": good["id"], "commits": [good | {name: value}]}


def test_ci_tells_commits_in_any_order_and_twice(acme: Tenant, api: Callable[..., Client]) -> None:
    project = Project.objects.create(slug="churn", name="Churn")
    job, path = api(acme, "contributor", project_id=project.pk), "/api/v1/projects/churn/commits/"
    assert job.get(path).json() == {"newest": ""}
    reports = [
        {"head": f"{3:040x}", "commits": [told(1, []), told(2, [1]), told(3, [2])]},
        {"head": f"{5:040x}", "commits": [told(4, [3], committed=2**62), told(5, [4], committed=-(2**62))]},
        {"head": f"{8:040x}", "commits": [told(8, [5, 7], additions=0), told(6, [5]), told(7, [6], name="b[bot]")]},
    ]
    for report in [reports[2], reports[0], reports[1], reports[0]]:
        answer = job.post(path, report, content_type="application/json")
        assert answer.status_code == 200, answer.content
        assert answer.json()["commits"] == len(report["commits"])
    assert CommitLines.objects.count() == 8
    assert CommitLines.objects.filter(is_odd=True).count() == 2
    assert job.get(path).json() == {"newest": f"{8:040x}"}
    assert Connection.objects.get().kind == "git"
    weeks = commit_measures.weekly([project.pk], BEGIN, NOW)
    assert sum(week.commits for week in weeks) == 4  # no merge, no bot, no odd date
    assert sum(week.lines or 0 for week in weeks) == 24
    for name, body in bad_reports():
        assert job.post(path, body, content_type="application/json").status_code == 400, name
    assert api(acme, "viewer").post(path, reports[0], content_type="application/json").status_code == 403
    other = Project.objects.create(slug="other", name="Other")
    assert (
        api(acme, "admin", project_id=other.pk).post(path, reports[0], content_type="application/json").status_code
        == 404
    )


def reported(repository: Path, known: str, *more: str) -> tuple[Any, list[Any]]:
    """What the client tells of a repository to a server that knows a commit, and what it says of that."""

    def play(turn: int) -> Any:
        return as_json(200, {"newest": known} if turn == 1 else {"commits": 1, "odd_dates": 0})

    arguments = ("git", "report", "churn", "--repository", str(repository), "--ref", "HEAD", "--output", "json", *more)
    with playing(play) as (url, seen):
        place = {"MAESTRO_URL": url, "MAESTRO_TOKEN": "mst_acme_x_y"}
        done = run_client(*arguments, folder=repository.parent, **place)
        assert done.returncode == 0, done.stderr
        return orjson.loads(done.stdout), [body for _, _, body in seen[1:]]


def test_the_client_tells_what_the_server_does_not_know(
    tmp_path: Path, acme: Tenant, api: Callable[..., Client]
) -> None:
    Project.objects.create(slug="churn", name="Churn")
    story = Story(tmp_path / "repo.git")
    first = story.commit(at(0), {"a": "1\n"}, who=b"Ad\xffa <ada@home>", message=b'Revert "\xff"')
    story.commit(at(1), {"b": "1\n2\n", ".mailmap": "Ada <ada@example.org> <ada@home>\n"}, parents=(first,))
    story.commit(at(2), {"b": "1\n2\n"}, parents=(first, 2))
    path = story.make()
    told, (body,) = reported(path, "")
    assert (told["commits"], [one["is_revert"] for one in body["commits"]]) == (1, [False, False, True])
    assert [(one["additions"], len(one["parents"])) for one in body["commits"]] == [(0, 2), (3, 1), (1, 0)]
    assert {one["email"] for one in body["commits"]} == {"ada@home", "ada@example.org"}
    answer = api(acme, "contributor").post("/api/v1/projects/churn/commits/", body, content_type="application/json")
    assert answer.json() == {"commits": 3, "odd_dates": 0}
    base = body["commits"][-1]["id"]
    assert [one["id"] for one in reported(path, base)[1][0]["commits"]] == [one["id"] for one in body["commits"][:2]]
    assert reported(path, body["head"])[1] == []
    assert len(reported(path, "e" * 40)[1][0]["commits"]) == 3  # a history that was replaced
    assert reported(path, "", "--dry-run")[1] == []
    shallow = tmp_path / "shallow"
    subprocess.run(["git", "clone", "-q", "--depth=1", f"file://{path}", str(shallow)], check=True)
    assert reported(shallow, "") == ({"project": "churn", "head": body["head"], "commits": 0, "since": ""}, [])
    refused = run_client(
        "git", "report", "churn", "--repository", str(tmp_path), folder=tmp_path, MAESTRO_URL="http://x"
    )
    assert (refused.returncode, "not a git repository" in refused.stderr) == (2, True)
