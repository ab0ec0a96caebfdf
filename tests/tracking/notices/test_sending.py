"""What happened reaches a real receiver, signed: once if it answers, again and again if not, and no more than it may know."""

from collections.abc import Callable
from datetime import datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone
from standardwebhooks.webhooks import Webhook as Verifier

from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.files import use
from apps.tracking.models import Notice, Project, Run, StorageUse, Telling, Webhook
from apps.tracking.notices import sending, webhooks
from apps.tracking.notices.events import Happening, Told, tell
from apps.tracking.retention import pruning
from maestro import limits
from maestro.clock import to_ms
from tests.factories.receiving import BOSS, Receiver, listen, log_of, send_all, verified

Api = Callable[..., Client]
MLFLOW = "/api/2.0/mlflow/"


def post(client: Client, call: str, body: dict[str, Any]) -> Any:
    answer = client.post(MLFLOW + call, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def begin_run(client: Client, name: str = "first") -> tuple[str, str]:
    """A run in an experiment of its own; their ids."""
    number = post(client, "experiments/create", {"name": f"exp {name}"})["experiment_id"]
    return post(client, "runs/create", {"experiment_id": number, "run_name": name})["run"]["info"]["run_id"], number


def happen(project: Project | None, at: datetime | None = None) -> None:
    with transaction.atomic():
        told = Told(Happening.ALIAS_MOVED, project.pk if project else None, {"artifact": "m"}, {"secret": "wide"})
        tell(told, at=at or timezone.now())


def test_the_end_of_a_run_reaches_the_receiver_signed_and_once(
    acme: Tenant, api: Api, project: Project, receiver: Receiver
) -> None:
    issued = listen(receiver.url, "run.finished", "run.failed", project=project)
    client = api(acme, project_id=project.pk)
    run, number = begin_run(client)
    for status in ("RUNNING", "FINISHED", "FINISHED"):
        post(client, "runs/update", {"run_id": run, "status": status, "end_time": 5})
    assert send_all() == ["arrived"]
    assert send_all() == []
    (one,) = receiver.got
    assert Verifier(issued.secret).verify(one.body, one.headers)["type"] == "run.finished"
    data = one.said["data"]
    assert (data["project"], data["run"]["id"], data["run"]["status"]) == ("churn", run, "FINISHED")
    assert data["experiment"] == {"id": number, "name": "exp first"}
    (row,) = log_of(issued.webhook)
    assert (row.state, row.status, row.tries, row.reason) == ("arrived", 200, 1, "")


def test_lost_and_failed_runs_are_told_and_another_projects_are_not(
    acme: Tenant, api: Api, project: Project, receiver: Receiver
) -> None:
    issued = listen(receiver.url, "run.lost", "run.failed", project=project)
    other = Project.objects.create(slug="other", name="Other")
    for home in (project, other):
        client = api(acme, project_id=home.pk)
        failed, _ = begin_run(client, f"f-{home.slug}")
        post(client, "runs/update", {"run_id": failed, "status": "FAILED"})
        begin_run(client, f"l-{home.slug}")
    assert pruning.mark_lost(to_ms(timezone.now() + timedelta(days=3))) == 2
    assert send_all() == ["arrived", "arrived"]
    assert [one.said["type"] for one in receiver.got] == ["run.failed", "run.lost"]
    assert all(verified(issued.secret, one) and b"other" not in one.body for one in receiver.got)
    assert Run.objects.filter(status="LOST").count() == 2


def test_nothing_is_written_if_nobody_listens_or_the_act_is_undone(
    acme: Tenant, project: Project, receiver: Receiver
) -> None:
    happen(project)
    row = listen(receiver.url, "alias.moved", project=project).webhook
    with transaction.atomic():
        tell(Told(Happening.ALIAS_MOVED, project.pk, {}), at=timezone.now())
        assert Notice.objects.exists()
        transaction.set_rollback(True)
    webhooks.change(row, {"state": "paused"}, by=BOSS)
    happen(project)
    assert not Notice.objects.exists()
    webhooks.change(row, {"state": "active"}, by=BOSS)
    happen(project)
    assert Notice.objects.count() == 1


def test_who_listens_to_one_project_hears_nothing_of_all_of_them(
    acme: Tenant, project: Project, receiver: Receiver
) -> None:
    listen(receiver.url, "alias.moved", project=project)
    listen(receiver.url + "/all", "alias.moved")
    happen(None)
    happen(project)
    assert send_all() == ["arrived"] * 3
    got = {(one.path, one.said["data"]["project"], "secret" in one.said["data"]) for one in receiver.got}
    assert got == {("/hook/all", None, True), ("/hook/all", "churn", True), ("/hook", "churn", False)}


def test_what_fails_is_tried_for_about_a_day_and_can_be_replayed_under_its_id(
    acme: Tenant, project: Project, receiver: Receiver
) -> None:
    row = listen(receiver.url, "alias.moved", project=project).webhook
    happen(project)
    receiver.status = at_once = 503
    begun = at = timezone.now()
    while (telling := send_all(at)) == ["waiting"]:
        at = Telling.objects.get().next_at
    assert telling == ["failed"]
    assert len(receiver.got) == 8
    assert timedelta(hours=20) < at - begun < timedelta(hours=28)
    assert {one.headers["webhook-id"] for one in receiver.got} == {f"msg_{Telling.objects.get().pk.hex}"}
    assert (Telling.objects.get().status, Telling.objects.get().reason) == (at_once, "the answer was 503")
    receiver.status = 204
    webhooks.replay(row, Telling.objects.get().pk, by=BOSS, at=at)
    assert send_all(at) == ["arrived"]
    assert Webhook.objects.get(pk=row.pk).failing_since is None


def test_a_webhook_that_fails_for_a_week_is_stopped_and_says_so(
    acme: Tenant, project: Project, receiver: Receiver
) -> None:
    row = listen(receiver.url, "alias.moved", project=project).webhook
    receiver.status, at = 500, timezone.now()
    for day in range(7):
        happen(project, at + timedelta(days=day))
        send_all(at + timedelta(days=day))
        assert Webhook.objects.get(pk=row.pk).state == "active"
    send_all(at + timedelta(days=7, minutes=1))
    row.refresh_from_db()
    assert (row.state, "for a week" in row.reason) == ("failed", True)
    assert AuditEvent.objects.get(action="webhook.stop").after["reason"] == row.reason
    assert not Telling.objects.filter(state="waiting").exists()
    happen(project)
    assert Notice.objects.count() == 7
    webhooks.change(row, {"state": "active"}, by=BOSS)
    row.refresh_from_db()
    assert (row.state, row.reason, row.failing_since) == ("active", "", None)


def test_an_address_that_is_gone_is_stopped_at_once(acme: Tenant, project: Project, receiver: Receiver) -> None:
    row = listen(receiver.url, "alias.moved", project=project).webhook
    receiver.status = 410
    happen(project)
    send_all()
    assert [one.state for one in log_of(row)] == ["failed"]
    row.refresh_from_db()
    assert (row.state, "410" in row.reason) == ("failed", True)


@pytest.mark.parametrize(
    ("status", "headers", "said"),
    [
        (302, {"Location": "http://127.0.0.1/elsewhere"}, "redirects are not followed"),
        (307, {"Location": "http://169.254.169.254/"}, "redirects are not followed"),
        (404, {}, "the answer was 404"),
        (500, {}, "the answer was 500"),
    ],
)
def test_other_answers_than_good_ones_are_failures_and_no_redirect_is_followed(
    acme: Tenant, project: Project, receiver: Receiver, status: int, headers: dict[str, str], said: str
) -> None:
    row = listen(receiver.url, "alias.moved", project=project).webhook
    receiver.status, receiver.headers = status, headers
    happen(project)
    assert send_all() == ["waiting"]
    assert [(one.status, one.reason) for one in log_of(row)] == [(status, said)]
    assert len(receiver.got) == 1


def test_a_huge_answer_is_not_read_and_one_that_never_comes_ends_in_time(
    acme: Tenant, project: Project, receiver: Receiver, settings: Any
) -> None:
    listen(receiver.url, "alias.moved", project=project)
    receiver.extra = 50_000_000
    happen(project)
    assert send_all() == ["arrived"]
    assert Telling.objects.get().duration_ms < 3_000


def test_a_receiver_that_fails_rests_and_holds_up_no_other(
    acme: Tenant, project: Project, receiver: Receiver, settings: Any
) -> None:
    settings.PATIENCE = settings.PATIENCE | {"egress": 1}
    listen("http://127.0.0.1:9/closed", "alias.moved", project=project)
    listen(receiver.url, "alias.moved", project=project)
    at = timezone.now()
    for _ in range(20):
        happen(project)
    done = send_all(at)
    assert done.count("arrived") == 20
    assert done.count("waiting") == 1
    assert done.count("nothing is due") == 19
    assert Telling.objects.filter(webhook__url__contains="closed", tries=0).count() == 19


def test_the_way_may_be_closed_again_by_the_operator(
    acme: Tenant, project: Project, receiver: Receiver, settings: Any
) -> None:
    row = listen(receiver.url, "alias.moved", project=project).webhook
    happen(project)
    settings.EGRESS_ALLOW = (ip_network("10.0.0.0/8"),)
    assert send_all() == ["waiting"]
    assert receiver.got == []
    assert "not public" in log_of(row)[0].reason


def test_both_secrets_sign_while_they_are_rotated(acme: Tenant, project: Project, receiver: Receiver) -> None:
    issued = listen(receiver.url, "alias.moved", project=project)
    at = timezone.now()
    new = webhooks.rotate(issued.webhook, by=BOSS, at=at, hours=1).secret
    happen(project)
    send_all(at)
    happen(project)
    send_all(at + timedelta(hours=2))
    signed = [[verified(secret, one) for secret in (issued.secret, new)] for one in receiver.got]
    assert signed == [[True, True], [False, True]]


def test_what_was_told_is_forgotten_after_a_month(acme: Tenant, project: Project, receiver: Receiver) -> None:
    listen(receiver.url, "alias.moved", project=project)
    happen(project)
    happen(project, timezone.now() - timedelta(days=limits.NOTICE_DAYS + 1))
    send_all()
    assert sending.forget_old(timezone.now()) == 2
    assert (Notice.objects.count(), Telling.objects.count()) == (1, 1)


def test_too_much_that_waits_is_failed_at_once(
    acme: Tenant, project: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "TELLINGS_WAITING", 2)
    row = listen(receiver.url, "alias.moved", project=project).webhook
    for _ in range(3):
        happen(project)
    sending.spread(timezone.now())
    assert [one.state for one in log_of(row)] == ["waiting", "waiting", "failed"]


def test_nobody_sends_what_another_has_taken(acme: Tenant, project: Project, receiver: Receiver) -> None:
    listen(receiver.url, "alias.moved", project=project)
    happen(project)
    at = timezone.now()
    sending.spread(at)
    (one,) = sending.due(at).values_list("pk", flat=True)
    assert sending.take(one, at) is not None
    assert sending.send(one, at) == "nothing is due"
    assert sending.send(one, at + sending.LEASE) == "arrived"
    assert sending.send(UUID(int=0), at) == "nothing is due"


def test_a_quota_that_is_nearly_used_is_told_once(acme: Tenant, project: Project, receiver: Receiver) -> None:
    listen(receiver.url, "storage.nearly_full", project=project)
    Project.objects.filter(pk=project.pk).update(quota_bytes=1_000)
    now = timezone.now()
    use.measure(now)
    used: list[int] = []
    for size in (799, 800, 990, 100, 900):
        StorageUse.objects.filter(project=project).update(bytes=size)
        use.warn(now)
        used.append(Notice.objects.count())
    assert used == [0, 1, 1, 1, 2]
    send_all()
    data = receiver.got[0].said["data"]
    assert data == {"project": "churn", "of": "project", "used_bytes": 800, "quota_bytes": 1_000, "percent": 80}
