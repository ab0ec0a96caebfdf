"""Passwords: argon2 with bounded memory, few at once in a process, and old digests carried over."""

import threading
from collections.abc import Callable
from typing import Any

import argon2
import pytest
from django.contrib.auth.hashers import Argon2PasswordHasher, check_password
from django.contrib.auth.models import User
from django.test import Client

from apps.tenants.access.sign_in import hashing
from apps.tenants.models import Tenant

PASSWORD = "a long and silly password"
TOKEN = "/api/v1/auth/token/"


@pytest.fixture(autouse=True)
def real(settings: Any) -> None:
    settings.PASSWORD_HASHERS = ["apps.tenants.access.sign_in.hashing.Argon2"]


def sign_in(tenant: Tenant, password: str = PASSWORD) -> Any:
    client = Client(headers={"host": f"{tenant.slug}.localhost"})
    return client.post(TOKEN, {"username": "ada", "password": password}, content_type="application/json")


def test_a_digest_takes_little_memory_and_one_lane(acme: Tenant) -> None:
    User.objects.create_superuser("ada", password=PASSWORD)
    told = argon2.extract_parameters(User.objects.get(username="ada").password.removeprefix("argon2"))
    assert (told.memory_cost, told.time_cost, told.parallelism) == (19 * 1024, 2, 1)
    assert told.type is argon2.low_level.Type.ID


def test_an_old_digest_still_opens_and_is_made_anew(acme: Tenant) -> None:
    person = User.objects.create_superuser("ada")
    old = Argon2PasswordHasher().encode(PASSWORD, "saltsaltsaltsaltsaltsa")
    User.objects.filter(pk=person.pk).update(password=old)
    assert sign_in(acme, "wrong").status_code == 401
    assert User.objects.get(pk=person.pk).password == old
    assert sign_in(acme).status_code == 200
    new = User.objects.get(pk=person.pk).password
    assert "m=19456,t=2,p=1" in new
    assert check_password(PASSWORD, new)


def test_beyond_the_few_at_once_it_is_503_with_a_time_to_wait(acme: Tenant, settings: Any) -> None:
    User.objects.create_superuser("ada", password=PASSWORD)
    settings.PATIENCE = settings.PATIENCE | {"password": 0.05}
    held = [hashing.place() for _ in range(hashing.AT_ONCE)]
    for one in held:
        one.__enter__()
    try:
        answer = sign_in(acme)
    finally:
        for one in held:
            one.__exit__(None, None, None)
    assert (answer.status_code, answer.json()["code"]) == (503, "busy")
    assert int(answer["Retry-After"]) >= 1
    assert sign_in(acme).status_code == 200


def test_never_more_than_the_few_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    now, most, lock = 0, 0, threading.Lock()
    whole: Callable[..., str] = Argon2PasswordHasher.encode

    def counted(*args: Any) -> str:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        try:
            return whole(*args)
        finally:
            with lock:
                now -= 1

    monkeypatch.setattr(Argon2PasswordHasher, "encode", counted)
    threads = [threading.Thread(target=hashing.Argon2().encode, args=(PASSWORD, "s" * 22)) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 1 <= most <= hashing.AT_ONCE
