"""The floor: Celery tasks that name their tenant, and how a public task fans out over tenants.

A tenant task takes `schema=`, refuses a missing, unknown or inactive tenant before its first query, and
checks that Postgres agrees on where it is.
"""

import functools
import random
from collections.abc import Callable
from typing import Any

import psycopg
from celery import Task, shared_task
from django.db import Error, InterfaceError, OperationalError
from django_tenants.utils import get_tenant_model, tenant_context

from maestro.database.session import connection
from maestro.errors import Invalid, Unavailable

RETRY_SECONDS = 30
# Work by kind, so that none waits behind another: a worker takes from each in turn, or from those that `-Q` names.
# The last is where releases before 0.2 put everything.
LETTERS, NOTICES, UPKEEP, QUESTIONS, EXPORTS, TRAINING, FORMER = (
    "letters",
    "notices",
    "upkeep",
    "questions",
    "exports",
    "training",
    "celery",
)
QUEUES = (LETTERS, NOTICES, UPKEEP, QUESTIONS, EXPORTS, TRAINING, FORMER)
# Django's, and psycopg's own, which the statements below Django's cursor raise.
LOST = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)


class MissingTenant(Invalid):
    """A task came without a tenant, or with one that takes no work."""

    code = "missing_tenant"


def find_tenant(schema: str | None) -> Any:
    """Fetch the tenant that a task names. Raises MissingTenant unless it is active."""
    if not isinstance(schema, str) or not schema or schema == "public":
        raise MissingTenant(f"a tenant task needs schema=, not {schema!r}")
    connection.set_schema_to_public()
    tenant = get_tenant_model().objects.filter(schema_name=schema).first()
    if tenant is None:
        raise MissingTenant(f"there is no tenant {schema!r}")
    if not tenant.is_active:
        raise MissingTenant(f"tenant {schema!r} is {tenant.state}")
    return tenant


def assert_tenant(schema: str) -> None:
    """Ask Postgres where this session is. Raises MissingTenant if it is elsewhere."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        (found,) = cursor.fetchone()
    if found != schema:
        raise MissingTenant(f"the database stands in {found!r}, not in {schema!r}")


def in_tenant(body: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that it runs inside the tenant named by `schema=`.

    Raises  Unavailable if the database ends the session or refuses one: the task may be tried again
    """

    @functools.wraps(body)
    def run(*args: Any, schema: str | None = None, **kwargs: Any) -> Any:
        try:
            tenant = find_tenant(schema)
            with tenant_context(tenant):
                assert_tenant(tenant.schema_name)
                return body(*args, **kwargs)
        except LOST as error:
            raise Unavailable(f"the database does not answer: {error}") from error
        finally:
            connection.set_schema_to_public()

    return run


def tenant_task(**options: Any) -> Callable[[Callable[..., Any]], Task]:
    """Declare a task of one tenant: `prune.delay(schema="acme", days=90)`. Retries only Unavailable."""

    def declare(body: Callable[..., Any]) -> Task:
        settings = {
            "acks_late": True,
            "reject_on_worker_lost": True,
            "autoretry_for": (Unavailable,),
            "max_retries": 3,
            "default_retry_delay": RETRY_SECONDS,
        }
        return shared_task(**(settings | options))(in_tenant(body))

    return declare


def fan_out(task: Task, *, jitter_seconds: float = 0, is_due: Callable[[], bool] | None = None, **kwargs: Any) -> int:
    """Send a tenant task once for every active tenant, spread over `jitter_seconds`. Returns how many.

    With `is_due`, asked inside each tenant as its own role, those with nothing to do get no message. It must be cheap.
    """
    connection.set_schema_to_public()
    sent = 0
    for tenant in list(get_tenant_model().objects.active()):
        if is_due is None or is_due_in(tenant, is_due):
            kwargs["schema"] = tenant.schema_name
            task.apply_async(kwargs=dict(kwargs), countdown=random.uniform(0, jitter_seconds))  # noqa: S311
            sent += 1
    connection.set_schema_to_public()
    return sent


def is_due_in(tenant: Any, is_due: Callable[[], bool]) -> bool:
    """Ask one tenant. Where that fails the task is sent, which says what is wrong without stopping the others."""
    try:
        with tenant_context(tenant):
            return is_due()
    except (Error, psycopg.Error):
        return True
