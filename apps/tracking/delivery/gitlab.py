"""The tracking room: what GitLab's deliveries say.

Source  docs.gitlab.com, webhook events
"""

from datetime import datetime, timedelta

from apps.tracking.delivery.facts import Fact
from apps.tracking.delivery.github import BAD, GOOD, Reader, push, ran, state_of
from apps.tracking.delivery.payloads import Part, pseudonym
from apps.tracking.models import Deployment, Pipeline, PullRequest, Review

APPROVALS = ("approved", "approval", "unapproved", "unapproval")
OPEN = ("opened", "locked")


def merge_request(payload: Part) -> list[Fact]:
    """A merge request as it stands; an approval is a review too. GitLab tells no lines, and when it was merged by the act."""
    told = payload.part("object_attributes")
    number, as_of, action = told.number("iid"), told.time("updated_at"), told.text("action")
    state, author = told.text("state"), told.whole("author_id")
    draft = payload.maybe("changes").maybe("draft").fields
    values = {
        "number": number,
        "author": pseudonym(payload.of, "" if author is None else str(author)),
        "is_bot": False,
        "state": "open" if state in OPEN else state[:10],
        "is_draft": told.flag("draft") or told.flag("work_in_progress"),
        "opened_at": told.time("created_at"),
        "ready_at": as_of if draft.get("previous") is True and draft.get("current") is False else None,
        "merged_at": as_of if action == "merge" else None,
        "closed_at": None if state in OPEN else as_of,
        "additions": None,
        "deletions": None,
        "changed_files": None,
    }
    facts = [Fact(PullRequest, number, as_of, values, 1 if state in OPEN else 2)]
    if action in APPROVALS:
        facts.append(spoken(payload, number, as_of, f"{number}:{action}", action))
    return facts


def note(payload: Part) -> list[Fact]:
    """A comment, where it is one on a merge request."""
    told = payload.part("object_attributes")
    if told.text("noteable_type") != "MergeRequest":
        return []
    number = payload.part("merge_request").number("iid")
    return [spoken(payload, number, told.time("created_at"), f"{number}:note:{told.number('id')}", "commented")]


def spoken(payload: Part, number: str, at: datetime, key: str, state: str) -> Fact:
    """What the sender said about a merge request."""
    reviewer, is_bot = payload.who("user")
    values = {"number": number, "reviewer": reviewer, "is_bot": is_bot, "state": state[:20], "at": at}
    own = key if ":note:" in key else f"{key}:{reviewer}:{at.isoformat()}"
    return Fact(Review, own, at, values)


def pipeline(payload: Part) -> list[Fact]:
    """A pipeline with its jobs."""
    told = payload.part("object_attributes")
    number, sha, branch = told.number("id"), told.sha("sha"), told.text("ref")
    created_at, finished_at = told.time("created_at"), told.when("finished_at")
    jobs = [job(one, sha, branch) for one in payload.parts("builds")]
    waited = told.whole("queued_duration")
    begun = [fact.values["started_at"] for fact in jobs if fact.values["started_at"]]
    started_at = created_at + timedelta(seconds=min(waited, 10**9)) if waited is not None else min(begun, default=None)
    values = {
        "level": Pipeline.Level.PIPELINE.value,
        "number": number,
        "attempt": 1,
        "name": told.text("name") or told.text("source"),
        "sha": sha,
        "branch": branch,
        "state": state_of(told.text("status")),
        "created_at": created_at,
        "started_at": started_at,
        "finished_at": finished_at,
    }
    as_of = finished_at or max([created_at, *(fact.as_of for fact in jobs)])
    return [ran(values, as_of), *jobs]


def job(one: Part, sha: str, branch: str) -> Fact:
    """A job of a pipeline."""
    created_at, started_at, finished_at = one.time("created_at"), one.when("started_at"), one.when("finished_at")
    values = {
        "level": Pipeline.Level.JOB.value,
        "number": one.number("id"),
        "attempt": 1,
        "name": one.text("name"),
        "sha": sha,
        "branch": branch,
        "state": state_of(one.text("status")),
        "created_at": created_at,
        "started_at": started_at,
        "finished_at": finished_at,
    }
    return ran(values, finished_at or started_at or created_at)


def deployment(payload: Part) -> list[Fact]:
    """How a deployment goes on. The commit's whole id stands only in its address."""
    as_of, state = payload.time("status_changed_at"), payload.text("status", 20)
    address = Part(payload.of, {"sha": payload.text("commit_url", 2_000).rpartition("/")[2]}, "commit_url: ")
    environment, tier = payload.text("environment"), payload.text("environment_tier")
    values = {
        "number": payload.number("deployment_id"),
        "sha": address.sha("sha"),
        "environment": environment,
        "is_production": tier == "production" if tier else environment.lower().startswith("prod"),
        "state": state,
        "is_hotfix": payload.text("ref").startswith("hotfix"),
        "is_rollback": False,
        "started_at": as_of,
        "deployed_at": as_of if state in GOOD else None,
        "failed_at": as_of if state in BAD else None,
    }
    return [Fact(Deployment, str(values["number"]), as_of, values, 0 if state in ("created", "running") else 1)]


READERS: dict[str, Reader] = {
    "Push Hook": push,
    "Merge Request Hook": merge_request,
    "Note Hook": note,
    "Pipeline Hook": pipeline,
    "Deployment Hook": deployment,
}
