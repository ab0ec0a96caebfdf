"""What tracking's tests share."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from apps.tenants.models import Tenant
from tests.tracking.door import Door


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
