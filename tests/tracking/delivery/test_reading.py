"""Reading deliveries: in any order and more than once they give the same rows, and a bad one holds nobody up."""

import json
import uuid
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from apps.tracking.delivery import connections, reading
from apps.tracking.models import Commit, Connection, Delivery, Deployment, Pipeline, Project, PullRequest, Review
from apps.tracking.models.forge_facts import Told
from apps.tracking.tasks import read_deliveries
from maestro.principals import Actor
from tests.factories.forge_payloads import BEGIN, HISTORIES, Event, github_push, sha, shuffled

TABLES: tuple[type[Told], ...] = (Commit, PullRequest, Review, Pipeline, Deployment)
SYSTEM = Actor("system")


def connected(kind: str) -> Connection:
    """A connection of a new project."""
    project = Project.objects.create(slug=f"p-{uuid.uuid4().hex[:8]}", name="P")
    return connections.make(project, kind, "repo", by=SYSTEM).connection


def deliver(of: Connection, events: list[Event], name: str = "") -> None:
    """Keep deliveries as if they had come, each under a new id."""
    now = timezone.now()
    Delivery.objects.bulk_create(
        Delivery(
            connection=of,
            name=name or uuid.uuid4().hex,
            event=event,
            body=zlib.compress(body if isinstance(body, bytes) else json.dumps(body).encode()),
            size_bytes=0,
            received_at=now,
        )
        for event, body in events
    )


def read_all() -> None:
    """Read what waits."""
    while reading.read_waiting(timezone.now(), 1_000):
        pass


def tables() -> dict[str, list[Any]]:
    """Every row that forges told, as Postgres writes it."""
    found = {}
    with connection.cursor() as cursor:
        for model in TABLES:
            cursor.execute(f"SELECT t::text FROM {model._meta.db_table} t ORDER BY 1")
            found[model.__name__] = cursor.fetchall()
    return found


@pytest.mark.parametrize("kind", HISTORIES)
def test_thousands_of_deliveries_in_any_order_and_twice_give_the_same_rows_bit_for_bit(acme: Tenant, kind: str) -> None:
    of, events = connected(kind), HISTORIES[kind](35)
    deliver(of, events)
    read_all()
    first = tables()
    for seed in (1, 2):
        for model in TABLES:
            model._default_manager.all().delete()
        deliver(of, shuffled(events, seed))
        read_all()
        assert tables() == first
    assert len(events) * 5 > 2_000
    assert not Delivery.objects.filter(state="failed").exists()
    expected = set(TABLES) - ({Deployment} if kind == "gitea" else set())
    assert {model for model in TABLES if model._default_manager.exists()} == expected


def test_what_github_tells_stands_in_the_rows(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, shuffled(HISTORIES["github"](6), 3))
    read_all()
    assert Commit.objects.count() == 12
    commit = Commit.objects.get(sha=sha("commit", 2, 1))
    assert commit.committed_at == BEGIN + timedelta(days=2) - timedelta(minutes=30)
    assert commit.pushed_at == BEGIN + timedelta(days=2)
    pull = PullRequest.objects.get(number="4")
    assert (pull.state, pull.additions, pull.is_draft) == ("merged", 40, False)
    assert pull.ready_at == pull.opened_at + timedelta(hours=2)
    assert PullRequest.objects.get(number="5").state == "closed"
    assert Review.objects.get(number="4").state == "approved"
    runs = Pipeline.objects.filter(level="pipeline", number=str(30_433_642 + 4)).order_by("attempt")
    assert [run.state for run in runs] == ["failure", "success"]
    assert runs[1].created_at == runs[1].started_at
    good = Deployment.objects.get(number=str(145_988_746 + 1))
    assert (good.state, good.is_production) == ("inactive", True)
    assert good.deployed_at == BEGIN + timedelta(days=1, hours=4, minutes=4)
    failed = Deployment.objects.get(number=str(145_988_746 + 6))
    assert failed.deployed_at is None
    assert failed.failed_at is not None


def test_what_gitlab_tells_stands_in_the_rows(acme: Tenant) -> None:
    of = connected("gitlab")
    deliver(of, shuffled(HISTORIES["gitlab"](6), 3))
    read_all()
    pull, at = PullRequest.objects.get(number="3"), BEGIN + timedelta(days=3)
    assert (pull.opened_at, pull.ready_at) == (at, at + timedelta(hours=2))
    assert (pull.merged_at, pull.state) == (at + timedelta(hours=5), "merged")
    assert set(Review.objects.filter(number="3").values_list("state", flat=True)) == {"approved", "commented"}
    run = Pipeline.objects.get(level="pipeline", number="32")
    assert (run.started_at, run.finished_at, run.state) == (
        BEGIN + timedelta(days=1, seconds=30),
        BEGIN + timedelta(days=1, minutes=10),
        "success",
    )
    assert Deployment.objects.get(number="16").sha == sha("commit", 1, 1)


def test_unknown_events_are_kept_and_counted(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, [("star", {}), ("ping", {"zen": "x"})])
    read_all()
    assert dict(Delivery.objects.values_list("event", "state")) == {"star": "unknown", "ping": "read"}


DEEP = b'{"a":' * 5_000 + b"1" + b"}" * 5_000
PUSH = github_push(1, BEGIN)[1]
BAD: dict[str, Any] = {
    "broken UTF-8": b'{"ref": "\xff"}',
    "deep": DEEP,
    "cut short": b'{"ref": ',
    "a list": [],
    "a lone surrogate": b'{"ref": "\\ud800"}',
    "no ids": PUSH | {"commits": [PUSH["commits"][0] | {"id": "x"}]},
    "a time of no calendar": PUSH | {"commits": [PUSH["commits"][0] | {"timestamp": "2026-02-31T00:00:00Z"}]},
    "a time of long ago": PUSH | {"commits": [PUSH["commits"][0] | {"timestamp": "1492-10-12T00:00:00Z"}]},
    "a time beyond time": PUSH | {"repository": PUSH["repository"] | {"pushed_at": 10**18}},
    "commits that are none": PUSH | {"commits": [1, None]},
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_delivery_is_told_and_the_next_is_read(acme: Tenant, name: str) -> None:
    of = connected("github")
    deliver(of, [("push", BAD[name])], "bad")
    deliver(of, [github_push(2, BEGIN)], "good")
    read_all()
    bad, good = Delivery.objects.get(name="bad"), Delivery.objects.get(name="good")
    assert (bad.state, good.state) == ("failed", "read")
    assert bad.reason
    assert {commit.sha for commit in Commit.objects.all()} == {sha("commit", 2, place) for place in range(2)}


@pytest.mark.parametrize(
    ("event", "way", "value"),
    [
        ("workflow_run", "run_attempt", 2**40),
        ("workflow_run", "id", -1),
        ("workflow_run", "name", "n\x00" * 400),
        ("workflow_run", "head_sha", None),
    ],
)
def test_odd_values_are_stored_within_bounds_or_refused(acme: Tenant, event: str, way: str, value: Any) -> None:
    of = connected("github")
    body = next(payload for name, payload in HISTORIES["github"](1) if name == event)
    deliver(of, [(event, body | {event: body[event] | {way: value}})])
    read_all()
    assert Delivery.objects.get().state == ("read" if way == "name" else "failed")


def test_dates_of_1970_and_2100_are_dates(acme: Tenant) -> None:
    of = connected("github")
    commits = [PUSH["commits"][0] | {"id": sha(year), "timestamp": f"{year}-01-01T00:00:00Z"} for year in (1970, 2100)]
    deliver(of, [("push", PUSH | {"commits": commits})])
    read_all()
    assert sorted(at.year for at in Commit.objects.values_list("committed_at", flat=True)) == [1970, 2100]


def test_a_push_elsewhere_and_a_deleted_branch_say_nothing(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, [("push", PUSH | {"ref": "refs/heads/other"}), ("push", PUSH | {"commits": [], "deleted": True})])
    read_all()
    assert not Commit.objects.exists()
    assert set(Delivery.objects.values_list("state", flat=True)) == {"read"}


def test_a_delivery_that_ends_its_reader_is_given_up_after_three_times(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = connected("github")
    deliver(of, [github_push(1, BEGIN)], "bad")
    deliver(of, [github_push(2, BEGIN)], "good")

    def dies(row: Delivery) -> str:
        raise SystemExit

    for _ in range(3):
        with monkeypatch.context() as patch:
            patch.setattr(reading, "read", dies)
            with pytest.raises(SystemExit):
                reading.read_waiting(timezone.now(), 10)
    read_all()
    assert dict(Delivery.objects.values_list("name", "state")) == {"bad": "failed", "good": "read"}


def test_nobody_s_name_or_address_is_kept_in_what_is_measured(acme: Tenant) -> None:
    for kind, history in HISTORIES.items():
        deliver(connected(kind), history(3))
    read_all()
    told = str(tables()).lower()
    for name in ("tove", "luis", "renovate", "example.org", "octo", "train on may"):
        assert name not in told
    one, other = (
        Review.objects.filter(connection__kind=kind).values_list("reviewer", flat=True) for kind in ("github", "gitea")
    )
    assert not set(one) & set(other)


def test_a_replayed_delivery_changes_nothing(acme: Tenant) -> None:
    of = connected("github")
    deliver(of, [github_push(1, BEGIN)])
    read_all()
    before = tables()
    assert connections.replay(of, Delivery.objects.values_list("pk", flat=True), by=SYSTEM) == 1
    read_all()
    assert tables() == before
    assert Delivery.objects.get().state == "read"


def test_the_task_reads_a_tenant_s_deliveries(committed: Tenant) -> None:
    of = connected("github")
    deliver(of, [github_push(1, BEGIN)])
    assert read_deliveries.apply(kwargs={"schema": committed.schema_name}).get() == 1
    with tenant_context(committed):
        assert Commit.objects.count() == 2
