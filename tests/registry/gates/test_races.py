"""Two at once: jobs that move one alias, and an approval beside a change of the gate. On committed rows, in threads."""

from collections.abc import Callable
from threading import Barrier, Thread
from typing import Any

from django.db import connections
from django.test import Client
from django_tenants.utils import tenant_context

from apps.registry.models import AliasMove, Evidence
from apps.tenants.models import Tenant
from tests.factories.gates import V1, ask, make_gate, path_of, points_at, say, two_versions
from tests.factories.sending import send

ApiFor = Callable[..., Client]


def at_once(tenant: Tenant, *acts: Callable[[], Any]) -> list[Any]:
    """Do things at the same moment, each in a thread of its own."""
    barrier, answers = Barrier(len(acts)), [None] * len(acts)

    def work(at: int) -> None:
        try:
            with tenant_context(tenant):
                barrier.wait()
                answers[at] = acts[at]()
        finally:
            connections.close_all()

    threads = [Thread(target=work, args=(at,)) for at in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def test_of_two_jobs_that_move_one_alias_one_wins(committed: Tenant, api: ApiFor) -> None:
    client = api(committed)
    two_versions(client)
    path = f"{V1}artifacts/churn/aliases/open/"
    assert send(client, "put", path, {"version": "1"}).status_code == 201
    etag = send(client, "put", path, {"version": "2"}, If_Match=client.get(path)["ETag"])["ETag"]
    one, two = api(committed), api(committed)
    told = at_once(
        committed,
        lambda: send(one, "put", path, {"version": "1"}, If_Match=etag).status_code,
        lambda: send(two, "post", f"{path}rollback/", {}, If_Match=etag).status_code,
    )
    # A put of what is so already changes nothing and needs no ETag.
    assert sorted(told) in ([200, 200], [200, 412]), told
    assert points_at(client, alias="open") == "1"
    with tenant_context(committed):
        assert list(AliasMove.objects.order_by("id").values_list("from_number", "to_number")) == [
            (None, 1),
            (1, 2),
            (2, 1),
        ]


def test_an_approval_never_lets_through_what_a_gate_asked_before_it(committed: Tenant, api: ApiFor) -> None:
    admin, approver, ci = (api(committed, role) for role in ("admin", "approver", "contributor"))
    gate = make_gate(admin)
    two_versions(ci)
    path, where = path_of(ask(ci)), f"{V1}gates/{gate['id']}/"
    seen, tag = approver.get(path)["ETag"], admin.get(where)["ETag"]
    told, changed = at_once(
        committed,
        lambda: say(approver, path, etag=seen).status_code,
        lambda: send(admin, "patch", where, {"files": ["MLmodel"]}, If_Match=tag).status_code,
    )
    assert changed == 200
    with tenant_context(committed):
        kept = Evidence.objects.first()
        asked = [] if kept is None else kept.gates[0]["files"]
    assert (told, points_at(ci), asked) in [(200, "1", []), (412, None, [])]
