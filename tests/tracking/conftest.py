"""What tracking's tests share."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from apps.tenants.models import Tenant
from tests.factories.door import Door
from tests.factories.scene import Scene, build


@pytest.fixture
def door(acme: Tenant, api: Callable[..., Client]) -> Door:
    """The MLflow door of acme, as a contributor."""
    return Door(api(acme))


@pytest.fixture
def door_of(acme: Tenant, api: Callable[..., Client]) -> Callable[..., Door]:
    """The MLflow door of acme for a role, or for a key of one project."""

    def make(role: str = "contributor", **options: Any) -> Door:
        return Door(api(acme, role, **options))

    return make


@pytest.fixture
def scene(acme: Tenant) -> Scene:
    """The rows that the browser's tests look at, rolled back afterwards."""
    return build()


@pytest.fixture
def person(acme: Tenant) -> Callable[[str], Client]:
    """A client signed in as a person of a role: person("viewer")."""

    def sign_in(role: str) -> Client:
        user = User.objects.create_user(f"a-{role}", password=None, is_staff=True)
        if role != "nobody":
            user.groups.add(Group.objects.get(name=role))
        client = Client(headers={"host": "acme.localhost"})
        client.force_login(user, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
        return client

    return sign_in
