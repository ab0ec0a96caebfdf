"""Which params go with a metric: asked over REST and on pages, answered from the experiment's runs, within walls."""

import math
import random
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context
from pytest_django import DjangoAssertNumQueries

from apps.recommendations import tasks
from apps.recommendations.answers import followup
from apps.recommendations.models import Importance
from apps.recommendations.training import importance
from apps.recommendations.work import processes, questions
from apps.tenants.models import Tenant
from apps.tracking.models import Experiment, LatestMetric, MetricKey, Param, Project, Run
from maestro import limits
from maestro.errors import TooMany
from maestro.principals import Actor

ApiFor = Callable[..., Client]
BY = Actor("key:ci")


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """No broker is asked: a test answers itself."""
    monkeypatch.setattr(tasks.weigh, "apply_async", lambda **kwargs: None)


def experiment(name: str = "search", project: Project | None = None) -> Experiment:
    home = {"project": project} if project else {}
    return Experiment.objects.create(name=name, created_ms=1, updated_ms=1, **home)


def make_runs(home: Experiment, count: int, *, metric: str = "auc") -> list[Run]:
    """Finished runs whose metric follows `rate`; one has no finite number, one failed, one is in the trash."""
    draw = random.Random(4)  # noqa: S311
    key, _ = MetricKey.objects.get_or_create(name=metric)
    runs, params, latest = [], [], []
    for place in range(count + 3):
        status = Run.Status.FAILED if place == count + 1 else Run.Status.FINISHED
        gone = 5 if place == count + 2 else None
        runs.append(
            Run(experiment=home, name=f"r{place}", status=status, start_ms=place, last_write_ms=1, deleted_ms=gone)
        )
        rate = draw.random()
        values = {"rate": f"{rate:.4f}", "depth": str(draw.randint(1, 8)), "seed": "1", "name": f"run {place}"}
        params += [Param(run=runs[-1], key=name, value=value) for name, value in values.items()]
        value = math.nan if place == count else rate + draw.gauss(0, 0.05)
        latest.append(LatestMetric(run=runs[-1], experiment=home, key=key, step=1, timestamp_ms=1, value=value))
    Run.objects.bulk_create(runs)
    Param.objects.bulk_create(params)
    LatestMetric.objects.bulk_create(latest)
    return runs


def answered(question: Importance) -> Importance:
    importance.answer(question, at=timezone.now())
    return Importance.objects.get(pk=question.pk)


def person(acme: Tenant) -> Client:
    User.objects.create_superuser("ada", "ada@example.org", "a long test passphrase")
    client = Client(headers={"host": f"{acme.slug}.localhost"})
    client.force_login(User.objects.get(username="ada"))
    return client


def test_a_question_is_asked_over_rest_and_answered_from_the_finished_runs(acme: Tenant, api: ApiFor) -> None:
    home = experiment()
    make_runs(home, 34)
    asked = api(acme, "viewer").post(
        f"/api/v1/experiments/{home.pk}/importance/", {"metric": "auc"}, content_type="application/json"
    )
    assert (asked.status_code, asked.json()["state"], asked.json()["answer"]) == (202, "waiting", None)
    answered(Importance.objects.get())
    body = api(acme, "viewer").get(asked["Location"]).json()
    answer = body["answer"]
    assert (body["state"], answer["status"], answer["code"]) == ("done", "early", "few_runs")
    assert (answer["runs"], answer["finished"], answer["without_number"]) == (34, 35, 1)
    assert answer["weights"][0]["params"] == ["rate"]
    assert answer["weights"][0]["low"] > 0
    assert answer["weights"][0]["trend"] > 0.9
    assert answer["unused"] == ["name"]


def test_pages_ask_wait_and_show_bars_table_and_what_they_rest_on(
    acme: Tenant, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    home, client = experiment(), person(acme)
    runs = make_runs(home, 32)
    page = f"/admin/importance/{home.pk}/"
    assert "Not asked yet" in client.get(page).content.decode()
    asked = client.post(page, {"metric": "auc"})
    assert asked["Location"] == f"{page}?metric=auc"
    assert "Waiting for a worker" in client.get(asked["Location"]).content.decode()
    assert client.get(f"{page}state/?metric=auc").json()["live"] is True
    answered(Importance.objects.get())
    assert client.get(f"{page}state/?metric=auc").json()["live"] is False
    with django_assert_max_num_queries(10):
        shown = client.get(asked["Location"]).content.decode()
    for words in ("From 32 finished runs", "interval", "data-csv", "Param importance", "not a cause"):
        assert words in shown, words
    for beside in (f"/admin/tracking/run/?experiment={home.pk}", f"/admin/compare/?run={runs[0].pk.hex}"):
        assert f'data-chart="importance-{home.pk}"' in client.get(beside).content.decode()
    other = make_runs(experiment("other"), 1)[0]
    both = client.get(f"/admin/compare/?run={runs[0].pk.hex}&run={other.pk.hex}").content.decode()
    assert "These runs are of several experiments" in both


def test_too_few_runs_are_refused_with_their_number(acme: Tenant) -> None:
    home, client = experiment(), person(acme)
    make_runs(home, 12)
    question = answered(questions.weigh(home, "auc", by=BY))
    assert (question.answer["status"], question.answer["weights"], question.answer["skill"]) == ("refused", [], None)
    shown = client.get(f"/admin/importance/{home.pk}/").content.decode()
    assert "Too few runs: 12 of 30." in shown
    assert "Too few runs: 12 of 30." in client.get(f"/admin/tracking/run/?experiment={home.pk}").content.decode()
    assert answered(questions.weigh(home, "never logged", by=BY)).answer["reason"] == "Too few runs: 0 of 30."


def test_an_experiment_without_any_run_is_refused(acme: Tenant) -> None:
    assert answered(questions.weigh(experiment(), "auc", by=BY)).answer["code"] == "too_few_runs"


@pytest.mark.parametrize("metric", ["", "x" * 251, "a\x00b", None, 5, ["auc"]])
def test_a_bad_metric_is_a_clear_refusal(acme: Tenant, api: ApiFor, metric: Any) -> None:
    path = f"/api/v1/experiments/{experiment().pk}/importance/"
    body = {} if metric is None else {"metric": metric}
    assert api(acme).post(path, body, content_type="application/json").status_code == 400
    assert not Importance.objects.exists()


@pytest.mark.parametrize("number", ["999999", "9" * 30, "x", "-1", "１"])
def test_an_experiment_that_is_not_there_is_not_found(acme: Tenant, api: ApiFor, number: str) -> None:
    path = f"/api/v1/experiments/{number}/importance/"
    assert api(acme).post(path, {"metric": "auc"}, content_type="application/json").status_code == 404
    assert api(acme).get(f"/api/v1/importances/{uuid.uuid4()}/").status_code == 404


def test_a_bad_form_says_so_and_asks_nothing(acme: Tenant) -> None:
    client, page = person(acme), f"/admin/importance/{experiment().pk}/"
    assert "Choose a metric" in client.post(page, {}).content.decode()
    assert client.post(page, {"metric": "x" * 251}).status_code == 200
    assert client.get(f"{page}?metric=" + "x" * 500).status_code == 200
    assert client.get("/admin/importance/999999/").status_code == 404
    assert not Importance.objects.exists()


def test_another_project_s_experiment_is_not_there(acme: Tenant, api: ApiFor) -> None:
    theirs = Project.objects.create(slug="theirs", name="Theirs")
    mine = Project.objects.create(slug="mine", name="Mine")
    question = questions.weigh(experiment(project=theirs), "auc", by=BY)
    outside, inside = api(acme, project_id=mine.pk), api(acme, project_id=theirs.pk)
    assert outside.get(f"/api/v1/importances/{question.pk}/").status_code == 404
    path = f"/api/v1/experiments/{question.experiment_id}/importance/"
    assert outside.post(path, {"metric": "auc"}, content_type="application/json").status_code == 404
    assert inside.get(f"/api/v1/importances/{question.pk}/").json()["metric"] == "auc"


def test_another_tenant_s_question_is_not_there(acme: Tenant, api: ApiFor, globex: Tenant) -> None:
    theirs = questions.weigh(experiment(), "auc", by=BY)  # stands in the other tenant
    assert api(globex).get(f"/api/v1/importances/{theirs.pk}/").status_code == 200
    assert api(acme).get(f"/api/v1/importances/{theirs.pk}/").status_code == 404


def test_the_same_question_is_joined_and_only_so_many_wait(acme: Tenant) -> None:
    home = experiment()
    first = questions.weigh(home, "m0", by=BY)
    assert questions.weigh(home, "m0", by=BY).pk == first.pk
    for place in range(1, limits.QUESTIONS_WAITING_PERSON):
        questions.weigh(home, f"m{place}", by=BY)
    with pytest.raises(TooMany, match="of your questions wait"):
        questions.weigh(home, "one more", by=BY)
    assert tasks.WEIGHINGS.next() == first.pk
    assert tasks.TURNS.next() is None


def test_a_worker_answers_by_its_command_and_a_week_later_it_is_gone(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = questions.weigh(experiment(), "auc", by=BY)
    told: list[str] = []

    def run_command(name: str, *arguments: str, seconds: float) -> processes.Ended:
        told.extend([name, *arguments])
        return processes.Ended(1, "it broke")

    monkeypatch.setattr(processes, "run_command", run_command)
    assert tasks.weigh(schema=acme.schema_name) == "failed"
    assert told[0] == "answer_question"
    assert str(question.pk) in told
    with tenant_context(acme):
        assert Importance.objects.get().reason == "it broke"
        followup.drop_questions(timezone.now() + timedelta(days=6))
        assert Importance.objects.exists()
        followup.drop_questions(timezone.now() + timedelta(days=8))
        assert not Importance.objects.exists()
