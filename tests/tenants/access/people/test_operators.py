"""Operators live in the public schema and see no tenant's data."""

import json
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client
from django_tenants.utils import schema_context

from apps.tenants.models import Tenant


def add(username: str) -> dict[str, str]:
    out = StringIO()
    call_command("add_operator", username=username, output="json", stdout=out)
    return json.loads(out.getvalue())


def test_an_operator_signs_in_on_the_base_host_only(db: None) -> None:
    made = add("root")
    base = Client(headers={"host": "localhost"})
    assert base.login(username="root", password=made["password"])
    page = base.get("/admin/")
    assert page.status_code == 200
    with schema_context("acme"):
        assert not User.objects.filter(username="root").exists()


def test_a_second_call_gives_a_new_password(db: None) -> None:
    first, second = add("root"), add("root")
    assert second["created"] is False
    assert first["password"] != second["password"]


def test_an_operators_session_is_nothing_to_a_tenant(db: None, acme: Tenant) -> None:
    with schema_context("public"):
        made = add("root")
        base = Client(headers={"host": "localhost"})
        assert base.login(username="root", password=made["password"])
    answer = base.get("/admin/", headers={"host": "acme.localhost"})
    assert answer.status_code == 302
    assert "/admin/login/" in answer["Location"]


def test_an_empty_name_is_refused(db: None) -> None:
    with pytest.raises(CommandError) as refusal:
        add(" ")
    assert refusal.value.returncode == 2
