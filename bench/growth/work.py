"""The bench's own: the pieces of work whose plans are looked at, asked of the product as its doors ask."""

import uuid
from collections.abc import Callable
from typing import Any

from bench.growth import product  # noqa: F401 sets Django up

from django.contrib.auth.models import Group, User  # isort: skip
from django.test import Client  # isort: skip

from apps.tenants.models import Tenant  # isort: skip
from apps.tracking.runs import documents  # isort: skip
from apps.tracking.metrics import history, ingest, sampling
from apps.tracking.search import pages

from apps.tracking.mlflow.batches import read_batch  # isort: skip
from apps.tracking.models import Run  # isort: skip
from maestro.clock import now_ms  # isort: skip
from maestro.filters import parse, parse_order  # isort: skip

FILTER, ORDER = "metrics.acc > 0.9 and params.lr = '0.01'", ["metrics.acc DESC"]
Work = dict[str, Callable[[], Any]]


def searching(experiment: int) -> Work:
    """The searches of an experiment."""
    wanted = pages.Search(parse(FILTER, pages.RUNS), parse_order(ORDER, pages.RUNS))
    newest = pages.Search()
    first, _ = pages.runs(newest, [experiment], most=1000)
    return {
        "search by filter, ordered by a metric, 100": lambda: pages.runs(wanted, [experiment], most=100),
        "the newest 1,000 of an experiment": lambda: pages.runs(newest, [experiment], most=1000),
        "documents of 1,000 runs": lambda: documents.fetch_many(first),
    }


def logging(run: uuid.UUID) -> Work:
    """What a client logs."""
    point = f'{{"key": "loss", "value": 0.5, "timestamp": {now_ms()}, "step": 7}}'
    body = f'{{"run_id": "{run.hex}", "metrics": [{point}], "params": [], "tags": []}}'.encode()
    batch = read_batch(body)
    return {"log-metric": lambda: ingest.write(batch, **reach(), now=now_ms())}


def reach() -> dict[str, Any]:
    """Everything may be reached, in the words of this version of the product."""
    names = ingest.write.__kwdefaults__ or {}
    known = ingest.write.__code__.co_varnames
    return {} if "projects" in names else {"projects" if "projects" in known else "project_id": None}


def reading(run: uuid.UUID, key: str, places: tuple[int, ...]) -> Work:
    """Pages of a history from several places, a thinned history and a curve."""

    def page_from(step: int) -> Callable[[], Any]:
        after = None if step == 0 else (1_750_000_000_000 + step, step, 2.0)
        return lambda: history.page(run, key, after=after, most=10_000)

    found: Work = {f"page of 10,000 points from point {place:,}": page_from(place) for place in places}
    found["320 points of all"] = lambda: sampling.sample(run, key, most=320)
    found["curve of a page"] = lambda: history.curves([run], [key])
    return found


def person(tenant: Tenant) -> Client:
    """Sign a viewer in."""
    user, made = User.objects.get_or_create(username="growth", defaults={"is_staff": True})
    if made:
        user.groups.add(Group.objects.get(name="viewer"))
    client = Client(headers={"host": f"{tenant.slug}.localhost"})
    client.force_login(user, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def newest_run(experiment: int) -> Run:
    """A run of an experiment."""
    found = Run.objects.filter(experiment_id=experiment).order_by("-start_ms").first()
    assert found is not None
    return found
