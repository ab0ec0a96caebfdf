"""One database session serves tenant after tenant: whatever happens between, it stands where it should."""

import random

import pytest
from django.db import DatabaseError, transaction
from django_tenants.utils import tenant_context

from apps.tenants.models import Tenant
from maestro.database.session import connection


class Abort(Exception):
    """Ends a block from inside."""


def expected(tenant: Tenant) -> tuple[str, str]:
    return f"tenant_{tenant.schema_name}", tenant.schema_name


def stands() -> tuple[str, str]:
    return connection.cursor().execute("SELECT current_user, current_schema()").fetchone()


class Walk:
    """A walk of random steps: switches, nested transactions, failures, closed connections."""

    def __init__(self, seed: int, tenants: list[Tenant]) -> None:
        self.chance, self.tenants, self.checked = random.Random(seed), tenants, 0  # noqa: S311 repeatable

    def step(self, depth: int = 0) -> None:
        """Take one step and check where the session stands after it."""
        before = connection.tenant
        moves = [self.switch, self.nest, self.nest_and_abort, self.fail, self.wander]
        move = self.chance.choice([*moves, self.close] if not connection.in_atomic_block else moves)
        move(depth)
        connection.set_tenant(self.chance.choice([before, *self.tenants]))
        assert stands() == expected(connection.tenant)
        self.checked += 1

    def switch(self, depth: int) -> None:
        connection.set_tenant(self.chance.choice(self.tenants))
        assert stands() == expected(connection.tenant)

    def nest(self, depth: int) -> None:
        with transaction.atomic():
            if depth < 4:
                self.step(depth + 1)

    def nest_and_abort(self, depth: int) -> None:
        try:
            with transaction.atomic():
                self.switch(depth)
                if depth < 4:
                    self.step(depth + 1)
                raise Abort
        except Abort:
            pass

    def fail(self, depth: int) -> None:
        """Let Postgres refuse a statement, inside a transaction of its own and then bare."""
        with pytest.raises(DatabaseError):
            self.divide_by_zero(depth)
        if not connection.in_atomic_block:
            with pytest.raises(DatabaseError):
                connection.cursor().execute("SELECT * FROM public.auth_user")

    def divide_by_zero(self, depth: int) -> None:
        with transaction.atomic():
            self.switch(depth)
            connection.cursor().execute("SELECT 1/0")

    def wander(self, depth: int) -> None:
        with tenant_context(self.chance.choice(self.tenants)):
            assert stands() == expected(connection.tenant)
            if depth < 4:
                self.step(depth + 1)

    def close(self, depth: int) -> None:
        connection.close()


def test_the_session_stands_where_the_tenant_is(committed: Tenant, other_committed: Tenant) -> None:
    for seed in range(40):
        walk = Walk(seed, [committed, other_committed])
        for _ in range(25):
            walk.step()
        assert walk.checked >= 25
    connection.set_tenant(committed)


def test_a_task_of_public_after_a_tenant_reads_public(committed: Tenant) -> None:
    assert stands() == expected(committed)
    connection.set_schema_to_public()
    assert Tenant.objects.filter(slug=committed.slug).exists()
    connection.set_tenant(committed)
