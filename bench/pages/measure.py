"""Measures pages: queries, server milliseconds, bytes of HTML, by a signed-in person's requests in this process.

    python -m bench.pages.measure --tenant demo [--rounds 7] [--explain]

Every statement that reaches psycopg is counted, Django's and our own below it; BEGIN and the like are not.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
os.environ.setdefault("MAESTRO_DEBUG", "0")
django.setup()

import psycopg  # noqa: E402 after setup
from django.contrib.auth.models import User  # noqa: E402
from django.test import Client  # noqa: E402
from django_tenants.utils import schema_context  # noqa: E402

from apps.tenants.models import Tenant  # noqa: E402
from apps.tracking.models import Experiment, Run  # noqa: E402
from maestro.database.statements import Hot  # noqa: E402

PERSON = "page-bench"
QUIET = (
    "SET ",
    "BEGIN",
    "COMMIT",
    "SAVEPOINT",
    "RELEASE",
    "ROLLBACK",
    "SELECT set_config",
    "SELECT pg_catalog.set_config",
)


class Counted:
    """Listens to every statement of this process."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, float]] = []
        self.originals = [(psycopg.Cursor, "execute"), (Hot, "run"), (Hot, "run_own")]
        self.ways: list[Callable[..., Any]] = [getattr(owner, name) for owner, name in self.originals]

    def __enter__(self) -> "Counted":
        for (owner, name), way in zip(self.originals, self.ways, strict=True):
            setattr(owner, name, self.listening(way))
        return self

    def listening(self, way: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap one way to Postgres: the statement is its first argument."""

        def listened(asked: Any, query: Any, *args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            try:
                return way(asked, query, *args, **options)
            finally:
                self.seen.append((str(query), (time.perf_counter() - began) * 1000))

        return listened

    def __exit__(self, *_: object) -> None:
        for (owner, name), way in zip(self.originals, self.ways, strict=True):
            setattr(owner, name, way)

    def statements(self) -> list[tuple[str, float]]:
        """What reads or writes rows."""
        return [(sql, ms) for sql, ms in self.seen if not sql.lstrip().startswith(QUIET)]


def pages() -> dict[str, str]:
    """The addresses to measure, by what makes them heavy."""
    many, keys, curves = (
        Experiment.objects.filter(name__startswith=name).latest("id")
        for name in ("many runs", "many keys", "long curves")
    )
    long_run, wide_run = (
        Run.objects.filter(experiment=curves).latest("id"),
        Run.objects.filter(experiment=keys).latest("id"),
    )
    some = "&".join(f"run={pk.hex}" for pk in Run.objects.filter(experiment=keys).values_list("pk", flat=True)[:10])
    small = "&".join(f"run={pk.hex}" for pk in Run.objects.filter(experiment=many).values_list("pk", flat=True)[:10])
    names = "&".join(f"key=page.curve_{n:02}" for n in range(50))
    runs = "tracking/run/?experiment={}"
    return {
        "home": "",
        "run list, all runs": "tracking/run/",
        "run list, 100k runs": runs.format(many.pk),
        "run list, 100k, by a metric": runs.format(many.pk) + "&sort=-m.page.small_1",
        "run list, 100k, filtered": runs.format(many.pk)
        + "&q=metrics.page.small_1+%3E+0.99+AND+params.page.param_00001+%3D+%275%27",
        "run list, 100k, lost and named": runs.format(many.pk) + "&status=LOST&q=run-9",
        "run list, 100k, as charts": runs.format(many.pk) + "&view=charts",
        "run list, 10k keys": runs.format(keys.pk),
        "column search, 10k keys": f"keys/?q=0012&experiment={keys.pk}",
        "run, 10k keys": f"tracking/run/{wide_run.pk}/change/",
        "run, 50 curves of 100k": f"tracking/run/{long_run.pk}/change/",
        "its 50 curves": f"curves/?run={long_run.pk.hex}&{names}",
        "compare 10 of 100k": f"compare/?{small}",
        "compare 10 runs of 10k keys": f"compare/?{some}",
        "experiments": "tracking/experiment/",
        "projects": "tracking/project/",
    }


@dataclass(frozen=True)
class Measured:
    """What a page cost: statements, milliseconds on the wall (median) and of Python's own CPU (least), bytes."""

    queries: int
    wall_ms: float
    cpu_ms: float
    size: int
    statements: list[tuple[str, float]]


def measure(client: Client, path: str, rounds: int) -> Measured:
    """One page, asked for several times after once to warm up."""
    client.get(path)
    times, cpus, statements, size = [], [], [], 0
    for _ in range(rounds):
        with Counted() as counted:
            began, cpu_began = time.perf_counter(), time.process_time()
            answer = client.get(path)
            times.append((time.perf_counter() - began) * 1000)
            cpus.append((time.process_time() - cpu_began) * 1000)
        if answer.status_code != 200:
            raise SystemExit(f"{path} answered {answer.status_code}")
        statements, size = counted.statements(), len(answer.content)
    return Measured(len(statements), statistics.median(times), min(cpus), size, statements)


def main() -> None:
    """Print a table; with --explain also each page's slowest statements."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="")
    parser.add_argument("--explain", action="store_true")
    given = parser.parse_args()
    tenant = Tenant.objects.get(slug=given.tenant)
    with schema_context(tenant.schema_name):
        person, _ = User.objects.get_or_create(username=PERSON, defaults={"is_staff": True, "is_superuser": True})
        addresses = {name: path for name, path in pages().items() if given.only in name}
    client = Client(headers={"host": f"{tenant.slug}.localhost"})
    with schema_context(tenant.schema_name):
        client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    print(
        f"load {os.getloadavg()[0]:.1f}\n| page | queries | server ms | of it Python CPU | waiting for Postgres | kB |\n| --- | --- | --- | --- | --- | --- |"
    )
    for name, path in addresses.items():
        seen = measure(client, f"/admin/{path}", given.rounds)
        costs = f"{seen.queries} | {seen.wall_ms:.0f} | {seen.cpu_ms:.0f} | {sum(ms for _, ms in seen.statements):.0f}"
        print(f"| {name} | {costs} | {seen.size / 1000:.0f} |", flush=True)
        for sql, each in sorted(seen.statements, key=lambda item: -item[1])[: 4 if given.explain else 0]:
            print(f"    {each:7.1f} ms  {' '.join(sql.split())[:170]}")


if __name__ == "__main__":
    main()
