"""What a refusal holds is bounded too: the faults it names, the words it quotes, and the lists it looks into."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from rest_framework import serializers
from rest_framework.fields import ListField

from apps.registry.api.serializers import UsagesNew
from apps.tenants.models import Tenant
from config.routes import all_routes
from maestro import limits
from maestro.api import json as strict
from maestro.api.serializers import BoundedList, Listed, StrictSerializer
from maestro.errors import Invalid
from maestro.mlflow.fields import refuse

Api = Callable[..., Client]
TOKEN = "/api/v1/auth/token/"
SEARCH = "/api/2.0/mlflow/runs/search"


def post(client: Client, path: str, body: Any) -> Any:
    sent = body if isinstance(body, str) else json.dumps(body)
    return client.generic("POST", path, sent, content_type="application/json")


def test_unknown_fields_are_named_up_to_a_number_and_the_rest_is_counted(acme: Tenant) -> None:
    answer = post(Client(headers={"host": "acme.localhost"}), TOKEN, {f"f{n}": 1 for n in range(3_000)})
    told = answer.json()["errors"]
    assert answer.status_code == 400
    assert [one["pointer"] for one in told[: limits.FAULTS]] == [f"/f{n}" for n in range(limits.FAULTS)]
    assert told[limits.FAULTS]["detail"] == f"and {3_000 - limits.FAULTS} more fields that can't be sent"
    assert len(answer.content) < 4_000


def test_faults_of_many_items_are_named_up_to_a_number(acme: Tenant, api: Api) -> None:
    api(acme).post("/api/v1/projects/", {"slug": "p"}, content_type="application/json")
    usages = [{f"no{n}-{k}": 1 for k in range(9)} for n in range(999)]
    answer = api(acme).put("/api/v1/projects/p/usages/", {"usages": usages}, content_type="application/json")
    told = answer.json()["errors"]
    assert answer.status_code == 400
    assert len(told) == limits.FAULTS + 1
    assert told[0]["pointer"] == "/usages/0/no0-0"
    assert told[-1]["detail"].endswith("more")


class Looked(serializers.Field[Any, Any, Any, Any]):
    """Counts how often it is asked."""

    def __init__(self, seen: list[Any]) -> None:
        super().__init__()
        self.seen = seen

    def to_internal_value(self, data: Any) -> Any:
        """Refuse it."""
        self.seen.append(data)
        raise serializers.ValidationError("wrong")


def test_the_length_of_a_list_is_looked_at_before_anything_in_it() -> None:
    seen: list[Any] = []
    with pytest.raises(serializers.ValidationError, match="no more than 3"):
        Listed(child=Looked(seen), max_length=3).run_validation([1, 2, 3, 4])
    assert seen == []


def test_a_list_is_read_no_further_than_its_faults_are_named() -> None:
    seen: list[Any] = []
    with pytest.raises(serializers.ValidationError):
        Listed(child=Looked(seen), max_length=10_000).run_validation(list(range(10_000)))
    assert len(seen) == limits.FAULTS


def fields_of(one: Any) -> Iterator[Any]:
    """Every field below a serializer that reads what is sent."""
    for field in one.fields.values():
        if not field.read_only:
            yield field
            yield from fields_of(field) if isinstance(field, serializers.Serializer) else ()
            yield from fields_of(field.child) if isinstance(field, serializers.ListSerializer) else ()


def strict_kinds(kind: type[StrictSerializer] = StrictSerializer) -> Iterator[type[StrictSerializer]]:
    for one in kind.__subclasses__():
        yield one
        yield from strict_kinds(one)


def test_every_list_that_is_read_has_a_longest_length_and_stops_at_its_faults() -> None:
    assert all_routes(), "the routes import every serializer"
    kinds = [kind for kind in strict_kinds() if kind.__module__.startswith("apps.")]
    assert UsagesNew in kinds
    assert len(kinds) > 20
    lists = [(kind.__name__, one) for kind in kinds for one in fields_of(kind())]
    lists = [(name, one) for name, one in lists if isinstance(one, ListField | serializers.ListSerializer)]
    assert len(lists) > 8
    loose = [(name, one.field_name) for name, one in lists if not isinstance(one, Listed | BoundedList)]
    assert loose == [], "use Listed, or a StrictSerializer with many=True"
    assert [(name, one.field_name) for name, one in lists if one.max_length is None] == []  # type: ignore[union-attr]


def test_a_body_of_who_is_not_known_is_small_and_of_a_question_not_large(acme: Tenant, api: Api) -> None:
    large = json.dumps({"username": "a", "password": "b" * limits.OPEN_BODY_BYTES})
    assert post(Client(headers={"host": "acme.localhost"}), TOKEN, large).status_code == 413
    question = json.dumps({"experiment_ids": ["0"], "filter": "x" * limits.ASKING_BODY_BYTES})
    answer = post(api(acme, "viewer"), SEARCH, question)
    assert (answer.status_code, answer.json()["error_code"]) == (413, "INVALID_PARAMETER_VALUE")


def test_a_large_form_is_refused_before_it_is_read(acme: Tenant) -> None:
    client = Client(headers={"host": "acme.localhost"})
    form = "username=a&password=" + "b" * limits.PAGE_BODY_BYTES
    answer = client.generic("POST", "/admin/login/", form, content_type="application/x-www-form-urlencoded")
    assert answer.status_code == 413


def test_a_form_is_small_until_its_sender_has_signed_in(acme: Tenant) -> None:
    client = Client(headers={"host": "acme.localhost"})
    form, kind = "username=a&note=" + "%" * limits.OPEN_BODY_BYTES, "application/x-www-form-urlencoded"
    assert client.generic("POST", "/admin/login/", form, content_type=kind).status_code == 413
    client.cookies[settings.SESSION_COOKIE_NAME] = "made-up-by-somebody-who-is-not-here"
    assert client.generic("POST", "/admin/login/", form, content_type=kind).status_code == 413
    person = User.objects.create_superuser("boss", password="a long test passphrase")
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    assert client.generic("POST", "/admin/password_change/", form, content_type=kind).status_code == 200


def test_no_refusal_quotes_more_than_a_little() -> None:
    for value in ("x" * 1_000_000, ["x" * 1_000] * 10_000, {str(n): ["y"] * 99 for n in range(10_000)}, 10**400):
        assert len(refuse("name", value, "it is wrong").detail) < limits.DETAIL_CHARS + 2
    assert len(Invalid("x" * 1_000_000).detail) == limits.DETAIL_CHARS + 1


def test_the_place_of_a_bad_text_is_written_once_it_is_found() -> None:
    deep: Any = "\x00"
    for number in range(60):
        deep = {f"k{number}" + "x" * 200_000: [1, deep]} if number % 20 == 19 else [deep]
    body = json.dumps(deep).encode()
    with pytest.raises(Invalid) as refused:
        strict.loads(body)
    assert refused.value.code == "bad_text"
    assert refused.value.faults[0].pointer.startswith("/k59x")
    assert len(refused.value.faults[0].pointer) <= limits.DETAIL_CHARS
    with pytest.raises(Invalid) as named:
        strict.loads(b'{"a": [0, {"b": "\\u0000"}]}')
    assert named.value.faults[0].pointer == "/a/1/b"
