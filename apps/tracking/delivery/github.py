"""The tracking room: what GitHub's deliveries say; Gitea's and Forgejo's are made after them.

Source  docs.github.com, webhook events and payloads; docs.gitea.com, webhooks
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from apps.tracking.delivery.facts import Fact
from apps.tracking.delivery.payloads import Part
from apps.tracking.models import Commit, Deployment, Pipeline, PullRequest, Review

Reader = Callable[[Part], list[Fact]]
STATES = {
    "success": "success",
    "failure": "failure",
    "failed": "failure",
    "timed_out": "failure",
    "startup_failure": "failure",
    "cancelled": "cancelled",
    "canceled": "cancelled",
    "skipped": "cancelled",
    "in_progress": "running",
    "running": "running",
}
QUEUED = ("queued", "requested", "waiting", "pending", "created")
GOOD, BAD = ("success",), ("failure", "failed", "error")


def state_of(told: str) -> str:
    """A pipeline's state in our words."""
    return STATES.get(told) or ("queued" if told in QUEUED else "other")


def rank_of(state: str) -> int:
    """How final a state is."""
    return {"queued": 0, "running": 1}.get(state, 2)


def ran(values: dict[str, Any], as_of: datetime) -> Fact:
    """What is told of a pipeline, or of a job."""
    key = f"{values['level']}:{values['number']}:{values['attempt']}"
    return Fact(Pipeline, key, as_of, values, rank_of(values["state"]))


def push(payload: Part) -> list[Fact]:
    """Commits that came to the default branch; a push elsewhere says nothing that is measured."""
    home = payload.maybe("repository").text("default_branch") or payload.maybe("project").text("default_branch")
    if not home or payload.text("ref", 1_000) != f"refs/heads/{home}":
        return []
    told = payload.parts("commits")
    times = [one.time("timestamp") for one in told]
    pushed_at = payload.maybe("repository").when("pushed_at") or max(times, default=None)
    return [commit(one, at, pushed_at or at, place) for place, (one, at) in enumerate(zip(told, times, strict=True))]


def commit(one: Part, at: datetime, pushed_at: datetime, place: int) -> Fact:
    """One commit of a push. Who wrote it becomes a pseudonym, and of its message only stays what kind it is."""
    author, is_bot = one.who("author")
    message = one.text("message", 100)
    values = {
        "sha": one.sha("id"),
        "author": author,
        "committed_at": at,
        "pushed_at": pushed_at,
        "place": place,
        "is_merge": message.startswith("Merge "),
        "is_revert": message.startswith(('Revert "', "revert:", "revert(")),
        "is_bot": is_bot,
    }
    return Fact(Commit, values["sha"], at, values)  # type: ignore[arg-type]


def pull_request(payload: Part) -> list[Fact]:
    """A pull request as it stands."""
    pull, action = payload.part("pull_request"), payload.text("action")
    number, as_of = pull.number("number"), pull.time("updated_at")
    author, is_bot = pull.who("user")
    merged_at, closed_at = pull.when("merged_at"), pull.when("closed_at")
    values = {
        "number": number,
        "author": author,
        "is_bot": is_bot,
        "state": "merged" if merged_at else "closed" if pull.text("state") == "closed" else "open",
        "is_draft": pull.flag("draft"),
        "opened_at": pull.time("created_at"),
        "ready_at": as_of if action == "ready_for_review" else None,
        "merged_at": merged_at,
        "closed_at": closed_at,
        "additions": pull.whole("additions"),
        "deletions": pull.whole("deletions"),
        "changed_files": pull.whole("changed_files"),
    }
    return [Fact(PullRequest, number, as_of, values, 2 if closed_at else 1)]


def review(payload: Part) -> list[Fact]:
    """What somebody said about a pull request. Gitea gives no id and no time of its own: its request's time stands for it."""
    told, number = payload.part("review"), payload.part("pull_request").number("number")
    at = told.when("submitted_at")
    reviewer, is_bot = told.who("user") if at else payload.who("sender")
    at = at or payload.part("pull_request").time("updated_at")
    known = told.whole("id")
    key = f"{number}:{known}" if known is not None else f"{number}:{reviewer}:{at.isoformat()}"
    state = told.text("state", 20) or told.text("type", 60).removeprefix("pull_request_review_")[:20]
    values = {"number": number, "reviewer": reviewer, "is_bot": is_bot, "state": state.lower(), "at": at}
    return [Fact(Review, key, at, values, int(payload.text("action") == "dismissed"))]


def workflow_run(payload: Part) -> list[Fact]:
    """A run of a workflow. A later attempt has its id again, and its first one's time of creation."""
    run = payload.part("workflow_run")
    number, attempt = run.number("id"), run.whole("run_attempt") or 1
    created_at, started_at, as_of = run.time("created_at"), run.when("run_started_at"), run.time("updated_at")
    is_over = run.text("status") == "completed"
    values = {
        "level": Pipeline.Level.PIPELINE.value,
        "number": number,
        "attempt": attempt,
        "name": run.text("name"),
        "sha": run.sha("head_sha"),
        "branch": run.text("head_branch"),
        "state": state_of(run.text("conclusion") if is_over else run.text("status")),
        "created_at": started_at if attempt > 1 and started_at else created_at,
        "started_at": started_at,
        "finished_at": as_of if is_over else None,
    }
    return [ran(values, as_of)]


def workflow_job(payload: Part) -> list[Fact]:
    """A job of a workflow: how long it waited for a runner, and ran."""
    job = payload.part("workflow_job")
    number, attempt = job.number("id"), job.whole("run_attempt") or 1
    is_over = job.text("status") == "completed"
    started_at, finished_at = job.when("started_at"), job.when("completed_at") if is_over else None
    created_at = job.when("created_at") or started_at or job.time("created_at")
    values: dict[str, Any] = {
        "level": Pipeline.Level.JOB.value,
        "number": number,
        "attempt": attempt,
        "name": job.text("name"),
        "sha": job.sha("head_sha"),
        "branch": job.text("head_branch"),
        "state": state_of(job.text("conclusion") if is_over else job.text("status")),
        "created_at": created_at,
        "started_at": None if job.text("status") in QUEUED else started_at,
        "finished_at": finished_at,
    }
    return [ran(values, finished_at or values["started_at"] or created_at)]


def deployment(payload: Part) -> list[Fact]:
    """A deployment, or how one goes on: what was once good stays so, though a later one takes its place."""
    made = payload.part("deployment")
    status = payload.part("deployment_status") if "deployment_status" in payload.fields else None
    state = status.text("state", 20) if status else "queued"
    started_at = made.time("created_at")
    as_of = status.time("created_at") if status else started_at
    environment = (status.text("environment") if status else "") or made.text("environment")
    is_marked = made.flag("production_environment")
    values = {
        "number": made.number("id"),
        "sha": made.sha("sha"),
        "environment": environment,
        "is_production": is_marked or environment.lower().startswith("prod"),
        "state": state,
        "is_hotfix": made.text("ref").removeprefix("refs/heads/").startswith("hotfix"),
        "is_rollback": "rollback" in made.text("task").lower(),
        "started_at": started_at,
        "deployed_at": as_of if state in GOOD else None,
        "failed_at": as_of if state in BAD else None,
    }
    return [Fact(Deployment, str(values["number"]), as_of, values, 1 if status else 0)]


def nothing(payload: Part) -> list[Fact]:
    """A delivery that only shows that deliveries arrive."""
    return []


READERS: dict[str, Reader] = {
    "ping": nothing,
    "push": push,
    "pull_request": pull_request,
    "pull_request_review": review,
    "workflow_run": workflow_run,
    "workflow_job": workflow_job,
    "deployment": deployment,
    "deployment_status": deployment,
}
GITEA_REVIEWS = (
    "pull_request_approved",
    "pull_request_rejected",
    "pull_request_comment",
    "pull_request_review_approved",
)
GITEA_READERS: dict[str, Reader] = {
    "push": push,
    "pull_request": pull_request,
    "workflow_run": workflow_run,
    "workflow_job": workflow_job,
    **dict.fromkeys((*GITEA_REVIEWS, "pull_request_review_rejected", "pull_request_review_comment"), review),
}
