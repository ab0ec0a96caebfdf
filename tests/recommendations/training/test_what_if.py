"""Questions about projects that do not exist yet, in the admin: the form, the wait, the answer, the refusal."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.recommendations import tasks
from apps.recommendations.models import Training, WhatIf
from apps.recommendations.training import latecomers, run, what_if
from apps.recommendations.work import leases
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from tests.factories.learning import make_past


@pytest.fixture
def client(acme: Any) -> Client:
    """A signed-in person on acme's host."""
    User.objects.create_superuser("ada", "ada@example.org", "a long test passphrase")
    client = Client(headers={"host": f"{acme.slug}.localhost"})
    client.force_login(User.objects.get(username="ada"))
    return client


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is asked: what a question becomes is set by the test."""
    monkeypatch.setattr(tasks.answer, "apply_async", lambda **kwargs: None)


def train_now() -> None:
    asked, _ = leases.ask(why="asked", force=True)
    assert leases.take(asked.pk, "test") is not None
    run.run(Training.objects.get(pk=asked.pk), "test")


def test_a_question_is_asked_waits_and_is_answered_with_interval_and_reasons(client: Client) -> None:
    past = make_past(120)
    train_now()
    body = {
        "complexity": "80",
        "planned_duration_days": "90",
        "dataset_facts": "rows = 900",
        "artifacts": past.artifacts[0].name,
    }
    asked = client.post("/admin/what-if/", body)
    question = WhatIf.objects.get()
    assert asked["Location"] == f"/admin/what-if/{question.pk}/"
    assert question.facts["dataset_facts"] == {"rows": 900}
    assert "Waiting for a worker" in client.get(asked["Location"]).content.decode()
    what_if.answer(question, at=timezone.now())
    page = client.get(asked["Location"]).content.decode()
    assert "Expected" in page
    assert "80 % interval" in page
    assert "No forecast of cost" in page
    assert "Associated with" in page
    assert question.answer["artifacts"][0]["low"] < 12 < question.answer["artifacts"][0]["high"]


def test_before_any_training_the_answer_is_refusals(client: Client) -> None:
    question = WhatIf.objects.create(facts={"artifacts": ["never heard of"]})
    what_if.answer(question, at=timezone.now())
    page = client.get(f"/admin/what-if/{question.pk}/").content.decode()
    assert page.count('class="refusal"') == 4
    assert "Nothing has been learnt yet" in page
    assert question.answer["artifacts"][0]["effect"] is None


def test_a_worker_that_is_down_is_said_within_seconds_and_a_lost_answer_within_minutes(client: Client) -> None:
    question = WhatIf.objects.create(facts={})
    state = f"/admin/what-if/{question.pk}/state/"
    assert client.get(state).json()["live"] is True
    WhatIf.objects.update(created_at=timezone.now() - timedelta(seconds=20))
    assert "No worker has taken this" in client.get(state).json()["fields"]["note"]
    WhatIf.objects.update(started_at=timezone.now())
    assert "computes" in client.get(state).json()["fields"]["note"]
    long_ago = timezone.now() - timedelta(seconds=200)
    WhatIf.objects.update(created_at=long_ago)
    assert client.get(state).json()["live"] is True  # taken just now, after others
    WhatIf.objects.update(started_at=long_ago)
    assert client.get(state).json()["live"] is False
    assert "No answer came" in client.get(f"/admin/what-if/{question.pk}/").content.decode()


@pytest.mark.parametrize(
    "body",
    [
        {"complexity": "101"},
        {"complexity": "many"},
        {"planned_cost": "nan"},
        {"dataset_facts": "rows 900"},
        {"dataset_facts": "rows = inf"},
        {"dataset_facts": "\n".join(f"f{k} = {k}" for k in range(61))},
        {"artifacts": "no such thing"},
        {"problem_class": "magic"},
    ],
)
def test_a_bad_form_is_shown_again_and_asks_nothing(client: Client, body: dict[str, Any]) -> None:
    answer = client.post("/admin/what-if/", body)
    assert answer.status_code == 200
    assert "Please correct" in answer.content.decode()
    assert not WhatIf.objects.exists()


def test_the_form_begins_with_a_project_s_facts(client: Client) -> None:
    project = make_past(1).projects[0]
    page = client.get(f"/admin/what-if/?project={project.pk}").content.decode()
    assert f'value="{project.complexity}"' in page
    assert "rows = " in page
    assert client.get("/admin/what-if/?project=nonsense").status_code == 200


def test_a_question_of_another_tenant_is_not_there(
    client: Client, globex: Tenant
) -> None:  # stands in the other tenant
    theirs = WhatIf.objects.create(facts={})
    assert client.get(f"/admin/what-if/{theirs.pk}/").status_code == 404
    assert client.get(f"/admin/what-if/{theirs.pk}/state/").status_code == 404


def test_the_page_of_a_project_younger_than_the_training_waits_for_its_forecast_and_shows_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_past(60)
    train_now()
    sent: list[bool] = []
    monkeypatch.setattr(tasks, "send_foresee", lambda: sent.append(True))
    project = Project.objects.create(slug="young", name="Young", complexity=50)
    page = f"/admin/tracking/project/{project.pk}/change/"
    shown = client.get(page).content.decode()
    address = re.search(r'data-poll="([^"]+)"', shown)
    assert address is not None
    assert sent == [True]
    assert client.get(address[1]).json()["live"] is True
    assert "No worker has answered" in client.get(f"{address[1].split('?')[0]}?since=1").json()["fields"]["note"]
    latecomers.foresee(at=timezone.now())
    assert client.get(address[1]).json()["live"] is False
    assert "80 % interval" in client.get(page).content.decode()


def test_before_any_training_a_project_s_page_refuses_a_forecast_and_says_what_is_missing(client: Client) -> None:
    project = Project.objects.create(slug="young", name="Young")
    shown = client.get(f"/admin/tracking/project/{project.pk}/change/").content.decode()
    assert "No forecast yet" in shown
    assert "0 of 20" in shown
