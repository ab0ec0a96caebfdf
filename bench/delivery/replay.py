"""Replays GitHub's recorded payloads in several orders, each twice, and compares the tables bit for bit.

    npm pack @octokit/webhooks-examples && tar xzf octokit-webhooks-examples-*.tgz
    python -m bench.delivery.replay package --tenant demo [--deliveries 10000]

They go into a project of their own, which is deleted afterwards.
"""

import argparse
import hashlib
import os
import random
import time
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import django
import orjson

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()

from django.db import connection as plain
from django.utils import timezone
from django_tenants.utils import schema_context

from apps.tenants.models import Tenant
from apps.tracking.delivery import connections, reading
from apps.tracking.models import Commit, Connection, Delivery, Deployment, Pipeline, Project, PullRequest, Review
from maestro.principals import Actor

TABLES = (Commit, PullRequest, Review, Pipeline, Deployment)
Event = tuple[str, bytes]


def examples(folder: Path) -> Iterator[Event]:
    """Every recorded payload, of GitHub and of its server editions."""
    for path in sorted(folder.glob("*/index.json")):
        for event in orjson.loads(path.read_bytes()):
            for body in event["examples"]:
                yield event["name"], orjson.dumps(body)


def deliver(of: Connection, events: Sequence[Event], number: int) -> None:
    """Keep deliveries as if they had come, each under a new id."""
    now = timezone.now()
    rows = (
        Delivery(
            connection=of,
            name=f"{number}-{place}",
            event=event,
            body=zlib.compress(body, 1),
            size_bytes=len(body),
            received_at=now,
        )
        for place, (event, body) in enumerate(events)
    )
    Delivery.objects.bulk_create(rows, batch_size=500)


def digest(of: Connection) -> tuple[str, dict[str, int]]:
    """The rows that were read, as Postgres writes them, and how many of each table."""
    found, counts = hashlib.sha256(), {}
    with plain.cursor() as cursor:
        for model in TABLES:
            name = model._meta.db_table
            cursor.execute(f"SELECT t::text FROM {name} t WHERE connection_id = %s ORDER BY id", [of.pk])  # noqa: S608
            rows = cursor.fetchall()
            counts[name] = len(rows)
            found.update("\n".join(row[0] for row in rows).encode())
    return found.hexdigest()[:16], counts


def replay(of: Connection, events: Sequence[Event], number: int, *, is_new: bool) -> dict[str, Any]:
    """Deliver and read events; with `is_new` into empty tables."""
    Delivery.objects.filter(connection=of).delete()
    for model in TABLES if is_new else ():
        model.objects.filter(connection=of).delete()
    deliver(of, events, number)
    begun = time.process_time()
    while reading.read_waiting(timezone.now(), 1_000):
        pass
    seconds = time.process_time() - begun
    states = Counter(Delivery.objects.filter(connection=of).values_list("state", flat=True))
    told, counts = digest(of)
    return {"digest": told, "cpu_ms_each": 1e3 * seconds / len(events), "states": dict(states), "rows": counts}


def orders(events: Sequence[Event]) -> Iterator[tuple[str, list[Event], bool]]:
    """As recorded, once more on top, backwards, and shuffled."""
    yield "as recorded", list(events), True
    yield "again, on top", list(events), False
    yield "backwards", list(reversed(events)), True
    for seed in (1, 2):
        mixed = list(events)
        random.Random(seed).shuffle(mixed)
        yield f"shuffled {seed}", mixed, True


def compare(events: Sequence[Event]) -> list[tuple[str, dict[str, Any]]]:
    """Replay every order in a project of their own, in the tenant where the database stands."""
    project = Project.objects.create(slug=f"bench-replay-{time.time_ns()}", name="Replayed")
    of = connections.make(project, "github", "recorded", by=Actor("bench")).connection
    found = [
        (name, replay(of, some, number, is_new=is_new)) for number, (name, some, is_new) in enumerate(orders(events))
    ]
    project.delete()
    return found


def main() -> None:
    """Replay, print a line an order, and fail if two differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--deliveries", type=int, default=10_000)
    options = parser.parse_args()
    recorded = list(examples(options.folder))
    events = (recorded * (options.deliveries // len(recorded) + 1))[: options.deliveries]
    with schema_context(Tenant.objects.get(slug=options.tenant).schema_name):
        found = compare(events)
    for name, told in found:
        print(name, told)
    if len({told["digest"] for _, told in found}) != 1:
        raise SystemExit("the tables differ")


if __name__ == "__main__":
    main()
