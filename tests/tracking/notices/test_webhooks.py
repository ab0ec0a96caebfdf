"""Webhooks by program: made with a secret that is shown once, by who rules the project, and never to a private address."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.tenants.access.models import AuditEvent
from apps.tenants.access.sign_in.sealing import unseal
from apps.tenants.models import Tenant
from apps.tracking.models import Project, Webhook, WebhookSecret
from maestro import limits
from tests.factories.receiving import Receiver, listen, send_all, verified
from tests.factories.two_projects import person_in, speaking_as
from tests.tracking.notices.test_sending import happen

Api = Callable[..., Client]
V1 = "/api/v1/webhooks/"
FIELDS: dict[str, Any] = {"name": "to the team", "url": "https://receiver.invalid/in?a=b", "events": ["run.lost"]}
JSON = "application/json"


def make(client: Client, **fields: Any) -> Any:
    return client.post(V1, FIELDS | fields, content_type=JSON)


def test_its_secret_is_shown_once_and_kept_sealed(acme: Tenant, api: Api, project: Project) -> None:
    boss = api(acme, "admin")
    made = make(boss, project="churn")
    assert made.status_code == 201, made.content
    secret, address = made.json()["secret"], f"{V1}{made.json()['id']}/"
    assert secret.startswith("whsec_")
    assert unseal(bytes(WebhookSecret.objects.get().sealed_secret)) == secret
    assert secret.encode() not in bytes(WebhookSecret.objects.get().sealed_secret)
    for read in (boss.get(V1), boss.get(address), boss.get(f"{address}deliveries/")):
        assert read.status_code == 200
        assert secret not in read.content.decode()
    assert secret not in str(list(AuditEvent.objects.values()))
    assert "receiver.invalid" in str(AuditEvent.objects.get(action="webhook.make").after)
    assert "a=b" not in str(AuditEvent.objects.get(action="webhook.make").after)
    new = boss.post(f"{address}rotate/", {"hours": 0}, content_type=JSON).json()["secret"]
    assert new != secret
    assert [unseal(bytes(one.sealed_secret)) for one in WebhookSecret.objects.all()] == [new]
    assert boss.delete(address).status_code == 204
    assert boss.get(address).status_code == 404
    assert not WebhookSecret.objects.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://127.0.0.1/",
        "https://localhost/",
        "https://0x7f000001/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data/",
        "https://10.0.0.1/",
        "https://a:b@example.com/",
        "https://example.com/#a",
        "https://exämple.com/",
        "http://8.8.8.8/",
        "ftp://example.com/",
        "file:///etc/passwd",
        "https://exa mple.com/",
        "https://example.com\\@127.0.0.1/",
        "",
        "https://example.com/" + "a" * limits.WEBHOOK_URL_CHARS,
    ],
)
def test_no_address_is_taken_that_is_not_public(acme: Tenant, api: Api, project: Project, url: str) -> None:
    boss = api(acme, "admin")
    assert make(boss, url=url).status_code == 400
    assert not Webhook.objects.exists()
    row = listen("https://receiver.invalid/", "run.lost").webhook
    assert boss.patch(f"{V1}{row.pk}/", {"url": url}, content_type=JSON).status_code == 400
    assert Webhook.objects.get().url == "https://receiver.invalid/"


@pytest.mark.parametrize(
    "wrong",
    [
        {"events": []},
        {"events": ["run.walked"]},
        {"events": ["prompt.created"]},
        {"format": "mlflow"},
        {"format": "fax"},
        {"format": "slack", "secret": "a" * 32},
        {"secret": "short"},
        {"secret": "whsec_" + "!" * 40},
        {"secret": "whsec_YQ=="},
        {"state": "failed"},
        {"state": "closed"},
        {"name": ""},
        {"name": 5},
        {"project": "nowhere"},
        {"is_good": True},
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_made(
    acme: Tenant, api: Api, project: Project, wrong: dict[str, Any]
) -> None:
    answer = make(api(acme, "admin"), **wrong)
    assert answer.status_code in {400, 404}, answer.content
    assert not Webhook.objects.exists()


def test_who_rules_a_project_rules_its_webhooks_and_no_others(acme: Tenant, api: Api, project: Project) -> None:
    other = Project.objects.create(slug="other", name="Other")
    theirs = listen("https://receiver.invalid/", "run.lost", project=other).webhook
    wide = listen("https://receiver.invalid/", "run.lost").webhook
    boss = speaking_as(acme, person_in({project: "admin"}))
    mine = make(boss).json()
    assert mine["project"] == str(project.pk)
    assert [row["id"] for row in boss.get(V1).json()["results"]] == [mine["id"]]
    for row in (theirs, wide):
        for answer in (
            boss.get(f"{V1}{row.pk}/"),
            boss.delete(f"{V1}{row.pk}/"),
            boss.patch(f"{V1}{row.pk}/", {"name": "x"}, content_type=JSON),
            boss.post(f"{V1}{row.pk}/test/"),
        ):
            assert answer.status_code == 404
    assert make(boss, project="other").status_code == 404
    assert make(api(acme, "contributor")).status_code == 403
    assert make(api(acme, "admin", project_id=project.pk)).json()["project"] == str(project.pk)


def test_a_webhook_is_tried_and_only_the_status_of_the_answer_is_told(
    acme: Tenant, api: Api, project: Project, receiver: Receiver
) -> None:
    boss, issued = api(acme, "admin"), listen(receiver.url, "run.lost", project=project)
    address = f"{V1}{issued.webhook.pk}/"
    receiver.extra = 20
    assert boss.post(f"{address}test/").json() == {"arrived": True, "status": 200, "reason": ""}
    assert verified(issued.secret, receiver.got[0])
    assert receiver.got[0].said["data"] == {"project": "churn", "webhook": issued.webhook.name}
    receiver.status = 418
    answer = boss.post(f"{address}test/")
    assert (answer.json()["status"], b"xxx" in answer.content) == (418, False)
    for _ in range(limits.WEBHOOK_TESTS_MINUTE):
        last = boss.post(f"{address}test/")
    assert last.status_code == 429
    assert boss.get(f"{address}deliveries/").json()["results"] == []
    assert AuditEvent.objects.filter(action="webhook.test").count() == limits.WEBHOOK_TESTS_MINUTE


def test_the_log_of_deliveries_is_read_with_few_queries_and_replayed(
    acme: Tenant, api: Api, project: Project, receiver: Receiver
) -> None:
    boss, issued = api(acme, "admin"), listen(receiver.url, "alias.moved", project=project)
    address = f"{V1}{issued.webhook.pk}/"
    receiver.status = 500
    for _ in range(30):
        happen(project)
    send_all()
    boss.get(f"{address}deliveries/")
    with CaptureQueriesContext(
        connection,
    ) as asked:
        rows = boss.get(f"{address}deliveries/").json()["results"]
    assert len(rows) == 30
    assert len(asked) <= 8, [one["sql"] for one in asked]
    tried = [row for row in rows if row["tries"]]
    assert {(row["event"], row["status"], row["state"]) for row in tried} == {("alias.moved", 500, "waiting")}
    assert boss.post(f"{address}deliveries/{tried[0]['id']}/replay/").status_code == 404
    assert boss.patch(address, {"state": "paused"}, content_type=JSON).json()["state"] == "paused"
    assert boss.post(f"{address}deliveries/{tried[0]['id']}/replay/").status_code == 409
    boss.patch(address, {"state": "active"}, content_type=JSON)
    assert boss.post(f"{address}deliveries/{tried[0]['id']}/replay/").status_code == 202
    receiver.status = 200
    assert send_all() == ["arrived"]


def test_a_change_is_refused_to_who_looked_before_another_changed_it(acme: Tenant, api: Api, project: Project) -> None:
    boss, row = api(acme, "admin"), listen("https://receiver.invalid/", "run.lost").webhook
    tag = {"if-match": boss.get(f"{V1}{row.pk}/")["ETag"]}
    assert boss.patch(f"{V1}{row.pk}/", {"name": "a"}, content_type=JSON, headers=tag).status_code == 200
    assert boss.patch(f"{V1}{row.pk}/", {"name": "b"}, content_type=JSON, headers=tag).status_code == 412


def test_a_chats_address_is_a_secret_itself(acme: Tenant, api: Api, project: Project, receiver: Receiver) -> None:
    boss = api(acme, "admin")
    made = make(boss, url=f"{receiver.url}/T0/B0/hush", format="slack", events=["alias.moved"]).json()
    address = f"{V1}{made['id']}/"
    assert (made["secret"], made["url"].endswith("/…")) == ("", True)
    assert "hush" not in boss.get(address).content.decode() + str(list(AuditEvent.objects.values()))
    assert boss.post(f"{address}rotate/", {}, content_type=JSON).status_code == 409
    happen(project)
    assert send_all() == ["arrived"]
    assert receiver.got[0].path.endswith("/hush")
    boss.patch(address, {"url": f"{receiver.url}/other"}, content_type=JSON)
    happen(project)
    assert send_all() == ["arrived"]
    assert receiver.got[1].path.endswith("/other")


def test_too_many_are_refused(acme: Tenant, api: Api, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WEBHOOKS", 1)
    boss = api(acme, "admin")
    assert make(boss, project="churn").status_code == 201
    assert make(boss, project="churn").status_code == 409
    assert make(boss).status_code == 201


def test_secrets_are_sealed_anew_with_the_others(acme: Tenant, project: Project, settings: Any) -> None:
    issued = listen("https://receiver.invalid/", "run.lost")
    before = bytes(WebhookSecret.objects.get().sealed_secret)
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "another secret of the server" * 2
    call_command("reseal_secrets", output="json")
    settings.SECRET_KEY_FALLBACKS = []
    sealed = bytes(WebhookSecret.objects.get().sealed_secret)
    assert (sealed != before, unseal(sealed)) == (True, issued.secret)
