"""Tenants take turns: of each kind of work one message of a tenant is on its way, and only so much may wait."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone
from django_tenants.utils import tenant_context

from apps.recommendations import tasks
from apps.recommendations.models import WhatIf
from apps.recommendations.work import questions
from apps.tenants.models import Tenant
from apps.tracking.tasks import TURNS as EXPORT_TURNS
from config.celery import app
from maestro import limits
from maestro.errors import TooMany
from maestro.places import one_of
from maestro.principals import Actor
from maestro.tasks import QUESTIONS

ApiFor = Callable[..., Client]
FACTS = {"problem_class": "classification"}


def messages() -> list[str]:
    """The tenants whose messages wait in the queue of questions, next first."""
    broker = redis.Redis.from_url(settings.REDIS_URL)
    waiting = [json.loads(raw)["headers"]["kwargsrepr"] for raw in broker.lrange(QUESTIONS, 0, -1)]
    return [text.partition("'schema': '")[2].partition("'")[0] for text in reversed(waiting)]


@pytest.fixture(autouse=True)
def broker(django_db_setup: None) -> Iterator[None]:
    """This worker's own Valkey as the broker, with an empty queue."""
    redis.Redis.from_url(settings.REDIS_URL).delete(QUESTIONS)
    before, app.conf.broker_url = app.conf.broker_url, settings.REDIS_URL
    forget_connections()
    yield
    app.conf.broker_url = before
    forget_connections()


def forget_connections() -> None:
    app._pool = app.amqp._producer_pool = None


def ask(tenant: Tenant, count: int, by: str = "key:ci") -> None:
    with tenant_context(tenant):
        for _ in range(count):
            questions.ask(FACTS, by=Actor(by))
            tasks.TURNS.send()


def end_first() -> None:
    WhatIf.objects.filter(pk=tasks.TURNS.next()).update(state="done", ended_at=timezone.now())


def test_a_flood_has_one_message_and_goes_behind_the_others(committed: Tenant, other_committed: Tenant) -> None:
    ask(committed, 8)
    ask(other_committed, 2)
    assert messages() == [committed.schema_name, other_committed.schema_name]
    broker = redis.Redis.from_url(settings.REDIS_URL)
    broker.rpop(QUESTIONS)
    with tenant_context(committed):
        end_first()
        assert tasks.TURNS.go_on()
    assert messages() == [other_committed.schema_name, committed.schema_name]


def test_the_last_piece_sends_nothing_and_the_next_question_is_sent_again(committed: Tenant) -> None:
    ask(committed, 1)
    redis.Redis.from_url(settings.REDIS_URL).delete(QUESTIONS)
    with tenant_context(committed):
        end_first()
        assert not tasks.TURNS.go_on()
    assert messages() == []
    ask(committed, 1)
    assert messages() == [committed.schema_name]


def test_a_lost_message_is_sent_again_when_its_mark_has_ended(committed: Tenant) -> None:
    ask(committed, 1)
    redis.Redis.from_url(settings.REDIS_URL).delete(QUESTIONS)
    with tenant_context(committed):
        assert not tasks.TURNS.begin()
        tasks.cache.delete(tasks.TURNS.mark)
        assert tasks.TURNS.begin()
    assert messages() == [committed.schema_name]


def test_the_order_is_that_of_asking_and_a_taken_question_is_left_alone(acme: Tenant) -> None:
    first, second = questions.ask(FACTS, by=Actor("key:a")), questions.ask(FACTS, by=Actor("key:b"))
    assert tasks.TURNS.next() == first.pk
    WhatIf.objects.filter(pk=first.pk).update(started_at=timezone.now())
    assert tasks.TURNS.next() == second.pk


def test_one_person_has_so_many_questions_waiting_and_no_more(acme: Tenant) -> None:
    for _ in range(limits.QUESTIONS_WAITING_PERSON):
        questions.ask(FACTS, by=Actor("key:ci"))
    with pytest.raises(TooMany, match="of your questions wait"):
        questions.ask(FACTS, by=Actor("key:ci"))
    assert questions.ask(FACTS, by=Actor("key:other")).asked_by == "key:other"


def test_one_tenant_has_so_many_questions_waiting_and_no_more(acme: Tenant, api: ApiFor) -> None:
    WhatIf.objects.bulk_create(
        [WhatIf(facts=FACTS, asked_by=f"key:{number}") for number in range(limits.QUESTIONS_WAITING)]
    )
    refused = api(acme).post("/api/v1/forecasts/", FACTS, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert int(refused.headers["Retry-After"]) > 0
    assert WhatIf.objects.count() == limits.QUESTIONS_WAITING


def test_what_waits_behind_others_says_so(acme: Tenant) -> None:
    questions.ask(FACTS, by=Actor("key:a"))
    second = questions.ask(FACTS, by=Actor("key:a"))
    shown = second.progress(timezone.now())
    assert (shown.state, shown.note) == ("waiting", "Questions before this one: 1.")


def test_a_place_is_held_while_it_is_used_and_free_afterwards(tmp_path: Any) -> None:
    with one_of("training", 1, folder=tmp_path) as first:
        with one_of("training", 1, folder=tmp_path) as second:
            assert (first, second) == (True, False)
        with one_of("training", 2, folder=tmp_path) as other:
            assert other
    with one_of("training", 1, folder=tmp_path) as again:
        assert again


def test_exports_take_turns_too(committed: Tenant) -> None:
    with tenant_context(committed):
        assert not EXPORT_TURNS.begin()
        assert EXPORT_TURNS.mark == "turn.exports"
