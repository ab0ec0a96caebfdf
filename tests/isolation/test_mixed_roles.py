"""Who rules one project and looks at another: no button of any page does for them what only the other's people may.

Their reach holds both, so that a look-up finds the other's things; it is the role that has to be asked for, of the thing itself.
"""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.test import Client

import apps
from apps.registry.models import ArtifactVersion, Promotion
from apps.tenants.models import Tenant
from apps.tracking.delivery import connections, incidents
from apps.tracking.models import Delivery
from apps.tracking.runs.bulk import Action
from maestro.principals import Actor
from tests.factories.two_projects import Things, contents, furnish, person_in
from tests.isolation.test_project_pages import signed_in

Api = Callable[..., Client]
ROOT = Path(str(apps.__path__[0]))
NOW = datetime(2026, 5, 4, tzinfo=UTC)
SYSTEM = Actor("system")
# Pages with buttons, by the modules that read which one was pressed: about B's thing, and, where it is a project, about A too.
PAGES = {
    "registry/admin/acts.py": ["artifacts/{artifact}/act/", "versions/{version_id}/act/"],
    "registry/admin/aliases.py": ["artifacts/{artifact}/aliases/"],
    "registry/admin/finding.py": ["find/saved/"],
    "registry/admin/promotions.py": ["promotions/{promotion}/decide/"],
    "tracking/admin/delivery/connections.py": ["connections/{connection}/"],
    "tracking/admin/delivery/measured.py": ["team/{theirs}/", "team/{mine}/"],
    "tracking/admin/run_bulk.py": ["runs/act/"],
}
DO = re.compile(r'(?:\bdo ==|get\("do"[^)]*\) ==|\bword ==) "([a-z_]+)"')


def modules() -> dict[str, str]:
    """The sources of pages that ask which button was pressed."""
    found = {str(path.relative_to(ROOT)): path.read_text() for path in ROOT.rglob("admin/**/*.py")}
    return {name: source for name, source in found.items() if '.get("do"' in source}


def words() -> list[str]:
    """What buttons say, all of them at every page."""
    told = {word for source in modules().values() for word in DO.findall(source)}
    return sorted({*told, *Action, "approve", "point", "untag", "archive"} - {"rule"})


@pytest.fixture
def things(acme: Tenant, api: Api) -> Things:
    return furnish(api, acme)


def theirs_of(things: Things) -> dict[str, str]:
    """B's things by the names that forms give them, with some that nothing else makes."""
    version = ArtifactVersion.objects.get(artifact__name=things.ids["artifact"])
    connection = connections.make(things.theirs, "github", "repo", by=SYSTEM).connection
    told = {"name": "x", "event": "push", "body": b"x", "size_bytes": 1, "received_at": NOW, "state": "read"}
    delivery = Delivery.objects.create(connection=connection, **told)
    incident = incidents.open_one(things.theirs, {"title": "theirs"}, by=SYSTEM, at=NOW)
    asked = {"what": "alias", "name": "champion", "state": "done", "asked_by": "key:x", "asked_at": NOW}
    promotion = Promotion.objects.create(artifact=version.artifact, version=version, **asked)
    return {
        "incident": str(incident.pk),
        "delivery": str(delivery.pk),
        "connection": str(connection.pk),
        "promotion": str(promotion.pk),
        "artifact": str(version.artifact_id),
        "version": str(version.number),
        "version_id": str(version.pk),
        "run": things.ids["run"],
        "to": things.ids["experiment"],
    }


def test_every_page_with_buttons_is_tried() -> None:
    assert set(modules()) == set(PAGES)
    assert {"resolve", "delete", "again", "withdraw", "rotate", "close", "replay", "roll_back", "trash"} <= set(words())


@pytest.mark.parametrize("tenant_role", ["viewer", ""])
def test_no_button_does_for_one_project_s_admin_what_is_another_s(
    acme: Tenant, things: Things, tenant_role: str
) -> None:
    roles = {things.mine: "admin"} if tenant_role else {things.mine: "admin", things.theirs: "viewer"}
    theirs = theirs_of(things)
    client, before = signed_in(person_in(roles, tenant_role)), contents()
    known = theirs | {"theirs": str(things.theirs.pk), "mine": str(things.mine.pk)}
    for address in (one.format(**known) for some in PAGES.values() for one in some):
        for word in words():
            form = theirs | {"do": word, "which": "chosen", "key": "k", "value": "v", "name": "champion", "title": ""}
            assert client.post(f"/admin/{address}", form).status_code < 500, (address, word)
    after = contents()
    assert {name for name in before if before[name] != after[name]} <= {"registry_savedsearch"}, "one's own"
