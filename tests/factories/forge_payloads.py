"""What forges send, of the shapes that they document, about a made-up repository: a history of any length."""

import hashlib
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

BEGIN = datetime(2026, 5, 4, 9, tzinfo=UTC)
REPOSITORY = {"id": 35129377, "name": "churn", "full_name": "octo-org/churn", "private": True, "default_branch": "main"}
PEOPLE = [
    {"login": "tove", "id": 11, "type": "User"},
    {"login": "luis", "id": 12, "type": "User"},
    {"login": "renovate[bot]", "id": 13, "type": "Bot"},
]
Event = tuple[str, dict[str, Any]]


def sha(*words: object) -> str:
    """A commit's id."""
    return hashlib.sha1(" ".join(map(str, words)).encode(), usedforsecurity=False).hexdigest()


def z(at: datetime) -> str:
    """A time as GitHub writes it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def gitlab_time(at: datetime, form: int = 0) -> str:
    """A time in one of GitLab's three forms."""
    east = at + timedelta(hours=2)
    return (at.strftime("%Y-%m-%d %H:%M:%S UTC"), east.strftime("%Y-%m-%d %H:%M:%S +0200"), at.isoformat())[form % 3]


def github_push(number: int, at: datetime, commits: int = 2, *, forced: bool = False) -> Event:
    """A push to the default branch."""
    made = []
    for place in range(commits):
        when = at - timedelta(minutes=(commits - place) * 30)
        made.append(
            {
                "id": sha("commit", number, place),
                "tree_id": sha("tree", number, place),
                "distinct": True,
                "message": ('Revert "it"', "Merge pull request #1", "Train on May")[(number + place) % 3],
                "timestamp": when.astimezone(UTC).isoformat(),
                "url": f"https://github.example/octo-org/churn/commit/{number}",
                "author": {"name": "Tove", "email": "tove@example.org", "username": PEOPLE[number % 3]["login"]},
                "committer": {"name": "GitHub", "email": "noreply@github.example", "username": "web-flow"},
                "added": [],
                "removed": [],
                "modified": ["train.py"],
            }
        )
    body = {
        "ref": "refs/heads/main",
        "before": sha("commit", number - 1, commits - 1),
        "after": sha("commit", number, commits - 1),
        "repository": REPOSITORY | {"pushed_at": int(at.timestamp())},
        "pusher": {"name": "tove", "email": "tove@example.org"},
        "sender": PEOPLE[0],
        "created": False,
        "deleted": False,
        "forced": forced,
        "base_ref": None,
        "compare": "https://github.example/octo-org/churn/compare/a...b",
        "commits": made,
        "head_commit": made[-1] if made else None,
    }
    return "push", body


def pull(number: int, at: datetime, step: str) -> dict[str, Any]:
    """A pull request at one step of its way."""
    opened, ready, merged = at, at + timedelta(hours=2), at + timedelta(hours=2 + number % 30)
    updated = {"opened": opened, "ready_for_review": ready, "closed": merged, "submitted": ready + timedelta(hours=1)}
    return {
        "id": 900_000 + number,
        "number": number,
        "state": "closed" if step == "closed" else "open",
        "title": "Train on May",
        "user": PEOPLE[number % 3],
        "draft": step == "opened",
        "created_at": z(opened),
        "updated_at": z(updated[step]),
        "closed_at": z(merged) if step == "closed" else None,
        "merged_at": z(merged) if step == "closed" and number % 5 else None,
        "merge_commit_sha": sha("merge", number),
        "head": {"ref": "may", "sha": sha("head", number)},
    }


def github_pull(number: int, at: datetime) -> Iterator[Event]:
    """A pull request from draft to its end, with a review."""
    facts = {"additions": 10 * number, "deletions": number, "changed_files": 3, "commits": 2, "merged": True}
    for action in ("opened", "ready_for_review", "closed"):
        request = pull(number, at, action) | facts
        yield "pull_request", {"action": action, "number": number, "pull_request": request, "repository": REPOSITORY}
    said = {
        "id": 500_000 + number,
        "user": PEOPLE[(number + 1) % 3],
        "state": "approved",
        "submitted_at": z(at + timedelta(hours=3)),
    }
    request = pull(number, at, "submitted")
    body = {"action": "submitted", "review": said, "pull_request": request, "repository": REPOSITORY}
    yield "pull_request_review", body


def github_runs(number: int, at: datetime) -> Iterator[Event]:
    """A workflow that runs, and where it failed runs again under its id; with a job."""
    attempts = (1, 2) if number % 4 == 0 else (1,)
    for attempt in attempts:
        begun = at + timedelta(hours=attempt)
        over = begun + timedelta(minutes=5 + number % 7)
        good = "success" if attempt == attempts[-1] else "failure"
        for action, status, conclusion, when in (
            ("requested", "queued", None, begun),
            ("in_progress", "in_progress", None, begun),
            ("completed", "completed", good, over),
        ):
            run = {
                "id": 30_433_642 + number,
                "name": "CI",
                "head_branch": "main",
                "head_sha": sha("commit", number, 1),
                "run_attempt": attempt,
                "event": "push",
                "status": status,
                "conclusion": conclusion,
                "created_at": z(at + timedelta(hours=1)),
                "run_started_at": z(begun),
                "updated_at": z(when),
            }
            yield "workflow_run", {"action": action, "workflow_run": run, "repository": REPOSITORY}
            job = {
                "id": 2_000_000 + 10 * number + attempt,
                "run_id": run["id"],
                "run_attempt": attempt,
                "name": "test",
                "head_branch": "main",
                "head_sha": run["head_sha"],
                "status": status,
                "conclusion": conclusion,
                "created_at": z(begun),
                "started_at": z(begun + timedelta(seconds=20 + number % 9)),
                "completed_at": z(over) if conclusion else None,
                "labels": ["ubuntu-latest"],
            }
            yield "workflow_job", {"action": action, "workflow_job": job, "repository": REPOSITORY}


def github_deployment(number: int, at: datetime) -> Iterator[Event]:
    """A deployment to production and its states; each sixth fails, each fifth is mended in haste."""
    begun = at + timedelta(hours=4)
    made = {
        "id": 145_988_746 + number,
        "sha": sha("commit", number, 1),
        "ref": "hotfix/1" if number % 5 == 0 else "main",
        "task": "deploy",
        "environment": "production",
        "production_environment": True,
        "created_at": z(begun),
        "updated_at": z(begun),
    }
    yield "deployment", {"action": "created", "deployment": made, "repository": REPOSITORY}
    end = "failure" if number % 6 == 0 else "success"
    for minutes, state in ((1, "in_progress"), (4, end), (60 * 24, "inactive")):
        when = z(begun + timedelta(minutes=minutes))
        status = {"id": number, "state": state, "created_at": when, "updated_at": when, "environment": "production"}
        body = {"action": "created", "deployment_status": status, "deployment": made, "repository": REPOSITORY}
        yield "deployment_status", body


def github_history(days: int) -> list[Event]:
    """Some days of a repository on GitHub, a push, a pull request, a pipeline and a deployment each."""
    found: list[Event] = [("ping", {"zen": "Keep it logically awesome.", "hook_id": 1})]
    for number in range(1, days + 1):
        at = BEGIN + timedelta(days=number)
        found += [github_push(number, at), *github_pull(number, at), *github_runs(number, at)]
        found += github_deployment(number, at)
        found.append(("star", {"action": "created", "starred_at": z(at), "repository": REPOSITORY}))
    return found


def gitlab_push(number: int, at: datetime) -> Event:
    """A push to the default branch, with its newest commits."""
    project = {"id": 15, "name": "churn", "default_branch": "main", "path_with_namespace": "octo/churn"}
    commits = [
        {
            "id": sha("commit", number, place),
            "message": "Train on May",
            "title": "Train on May",
            "timestamp": (at - timedelta(minutes=90 - place)).isoformat(),
            "url": "http://gitlab.example/octo/churn/commit/1",
            "author": {"name": "Tove", "email": "[REDACTED]"},
            "added": [],
            "modified": [],
            "removed": [],
        }
        for place in range(2)
    ]
    body = {
        "object_kind": "push",
        "event_name": "push",
        "before": sha("commit", number - 1, 1),
        "after": sha("commit", number, 1),
        "ref": "refs/heads/main",
        "checkout_sha": sha("commit", number, 1),
        "user_id": 4,
        "user_name": "Tove",
        "project_id": 15,
        "project": project,
        "commits": commits,
        "total_commits_count": 2,
    }
    return "Push Hook", body


def gitlab_merge(number: int, at: datetime) -> Iterator[Event]:
    """A merge request from draft to merge, approved and commented on; and a change of its title after that."""
    user = {"id": 40 + number % 3, "name": "Luis", "username": "luis", "email": "[REDACTED]"}
    for hours, action, state, draft in (
        (0, "open", "opened", True),
        (2, "update", "opened", False),
        (3, "approved", "opened", False),
        (5, "merge", "merged", False),
        (9, "update", "merged", False),
    ):
        told = {
            "id": 90 + number,
            "iid": number,
            "author_id": 40 + (number + 1) % 3,
            "action": action,
            "state": state,
            "draft": draft,
            "created_at": gitlab_time(at, number),
            "updated_at": gitlab_time(at + timedelta(hours=hours), number + hours),
            "last_commit": {"id": sha("head", number)},
        }
        changes = {"draft": {"previous": True, "current": False}} if hours == 2 else {}
        yield (
            "Merge Request Hook",
            {"object_kind": "merge_request", "user": user, "object_attributes": told, "changes": changes},
        )
    said = {"id": 7_000 + number, "noteable_type": "MergeRequest", "note": "Good", "created_at": gitlab_time(at, 0)}
    yield (
        "Note Hook",
        {"object_kind": "note", "user": user, "object_attributes": said, "merge_request": {"iid": number}},
    )


def gitlab_pipeline(number: int, at: datetime) -> Iterator[Event]:
    """A pipeline with a job, as it goes on."""
    for status, over in (("pending", None), ("running", None), ("success" if number % 4 else "failed", 10)):
        begun = None if status == "pending" else gitlab_time(at + timedelta(seconds=30))
        finished = gitlab_time(at + timedelta(minutes=over)) if over else None
        job = {
            "id": 380 + number,
            "stage": "test",
            "name": "test",
            "status": status,
            "created_at": gitlab_time(at),
            "started_at": begun,
            "finished_at": finished,
            "duration": 570.0 if over else None,
            "queued_duration": 30.0,
            "failure_reason": None,
        }
        told = {
            "id": 31 + number,
            "iid": 3,
            "name": "CI",
            "ref": "main",
            "tag": False,
            "sha": sha("commit", number, 1),
            "source": "push",
            "status": status,
            "created_at": gitlab_time(at),
            "finished_at": finished,
            "duration": 570 if over else None,
            "queued_duration": 30,
        }
        yield "Pipeline Hook", {"object_kind": "pipeline", "object_attributes": told, "builds": [job]}


def gitlab_deployment(number: int, at: datetime) -> Iterator[Event]:
    """A deployment to the tier of production."""
    for minutes, status in ((0, "running"), (5, "failed" if number % 6 == 0 else "success")):
        yield (
            "Deployment Hook",
            {
                "object_kind": "deployment",
                "status": status,
                "status_changed_at": gitlab_time(at + timedelta(hours=4, minutes=minutes), 1),
                "deployment_id": 15 + number,
                "deployable_id": 796,
                "environment": "live",
                "environment_tier": "production",
                "short_sha": sha("commit", number, 1)[:8],
                "commit_url": f"http://gitlab.example/octo/churn/-/commit/{sha('commit', number, 1)}",
                "ref": "main",
            },
        )


def gitlab_history(days: int) -> list[Event]:
    """Some days of a repository on GitLab."""
    found: list[Event] = []
    for number in range(1, days + 1):
        at = BEGIN + timedelta(days=number)
        found += [gitlab_push(number, at), *gitlab_merge(number, at), *gitlab_pipeline(number, at)]
        found += gitlab_deployment(number, at)
        found.append(("Wiki Page Hook", {"object_kind": "wiki_page"}))
    return found


def gitea_history(days: int) -> list[Event]:
    """Some days of a repository on Gitea, whose deliveries are made after GitHub's."""
    found: list[Event] = []
    for number in range(1, days + 1):
        at = BEGIN + timedelta(days=number)
        found += [github_push(number, at), *[one for one in github_pull(number, at) if one[0] == "pull_request"]]
        said = {"type": "pull_request_review_approved", "content": "Good"}
        body = {
            "action": "reviewed",
            "review": said,
            "sender": PEOPLE[0],
            "pull_request": pull(number, at, "submitted"),
        }
        found += [("pull_request_approved", body), *github_runs(number, at), ("release", {"action": "published"})]
    return found


HISTORIES: dict[str, Callable[[int], list[Event]]] = {
    "github": github_history,
    "gitlab": gitlab_history,
    "gitea": gitea_history,
}


def shuffled(events: list[Event], seed: int, times: int = 2) -> list[Event]:
    """The same deliveries in another order, each so many times."""
    found = events * times
    random.Random(seed).shuffle(found)  # noqa: S311 an order, not a secret
    return found
