"""A filled tenant, and its export; and another installation."""

import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from apps.tenants import provisioning
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from maestro.database.session import connection
from tests.factories.commands import run_command
from tests.tenants.moving.filling import fill

numbers = itertools.count(1)
Moved = Callable[..., tuple[dict[str, Any], int]]


@pytest.fixture
def filled(committed: Tenant, api: Callable[..., Client]) -> Tenant:
    """A tenant that has a row in each table, all of it committed."""
    outside = Project.objects.create(slug="churn", name="Churn")
    fill(api(committed, "admin"), outside)
    return committed


@pytest.fixture
def command() -> Moved:
    """Run a command that moves; returns what it told, or its refusal, and its exit code."""
    return run_command


@pytest.fixture
def package(filled: Tenant, tmp_path: Path, command: Moved) -> Path:
    """The export of a filled tenant."""
    told, code = command("export_tenant", filled.slug, "--to", tmp_path / "export")
    assert (code, told.get("missing")) == (0, []), told
    return tmp_path / "export"


@pytest.fixture
def new_slug(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """A free name for what is imported; erased afterwards."""
    slug = f"moved-{os.getpid()}-{next(numbers)}"
    yield slug
    with django_db_blocker.unblock():
        here = connection.tenant
        connection.set_schema_to_public()
        if Tenant.objects.filter(slug=slug).exists():
            provisioning.erase(slug)
        connection.set_tenant(here)


def standing_in(slug: str) -> Any:
    """Stand in a tenant."""
    connection.set_schema_to_public()
    return tenant_context(Tenant.objects.get(slug=slug))
