"""What the tracking room's pages cost: queries and bytes, for who sees everything and for who sees one project."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.test import Client

from apps.tenants.models import Tenant
from maestro.database.statements import Hot
from tests.factories.scene import Scene
from tests.factories.two_projects import person_in

MAX_QUERIES, MAX_HTML_BYTES = 12, 150_000
# Session, person, and in one statement their second factor, roles and permissions.
WHO_ASKS = 3
QUIET = ("SET ", "SAVEPOINT", "RELEASE", "ROLLBACK", "SELECT set_config", "SELECT pg_catalog.set_config")
# An order by a metric walks its numbers, NaNs and the runs without it; a filter looks up its rarest clause first.
WALKS = ("SELECT run_id", "SELECT CASE WHEN count")
ABOUT_WHO = ("django_session", "auth_user", "auth_group", "auth_permission", "access_projectrole", "factors_")
PAGES = {
    "all runs": "tracking/run/",
    "runs of a project": "tracking/run/?project={project}",
    "lost runs of a project": "tracking/run/?project={project}&status=LOST",
    "runs by a metric": "tracking/run/?experiment={experiment}&sort=-m.auc",
    "runs as charts": "tracking/run/?experiment={experiment}&view=charts&{some}&c=m.auc&c=p.seed&c=t.stage",
    "runs by a filter": "tracking/run/?experiment={experiment}&q=metrics.auc+%3E+0.1&c=m.auc&c=p.seed&sort=-m.accuracy",
    "run": "tracking/run/{run}/change/",
    "project": "tracking/project/{project}/change/",
    "compare": "compare/?{some}",
    "compare one": "compare/?run={run}",
    "experiments": "tracking/experiment/",
    "projects": "tracking/project/",
    "trash": "runs/trash/",
    "curves": "curves/?key=auc&key=train_loss&{some}",
    "keys": "keys/?q=lo",
}
# What other rooms show on a project's page costs them their own.
MORE = {"project": 21, "compare": 13}


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Every statement that is sent, Django's and our own below it, apart from BEGIN and the like."""
    asked: list[str] = []
    cursor, hot, own = psycopg.Cursor.execute, Hot.run, Hot.run_own

    def execute(self: Any, query: Any, *args: Any, **options: Any) -> Any:
        asked.append(str(query).lstrip())
        return cursor(self, query, *args, **options)

    def run(self: Any, sql: str, values: dict[str, Any]) -> Any:
        asked.append(sql.lstrip())
        return hot(self, sql, values)

    def run_own(self: Any, sql: str, values: Any) -> Any:
        asked.append(sql.lstrip())
        return own(self, sql, values)

    told: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", execute)
        patch.setattr(Hot, "run", run)
        patch.setattr(Hot, "run_own", run_own)
        yield told
    told += [sql for sql in asked if not sql.startswith(QUIET)]


def address(name: str, scene: Scene) -> str:
    """A page's address about the scene's rows."""
    ids = {
        "project": scene.open_project.pk,
        "experiment": scene.experiment.pk,
        "run": scene.runs[3].pk,
        "some": "&".join(f"run={run.pk.hex}" for run in scene.runs[3:9]),
    }
    return f"/admin/{PAGES[name].format(**ids)}"


def signed_in(person: Any) -> Client:
    """A person's client."""
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(person, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


@pytest.mark.parametrize("reach", ["tenant", "project", "both"])
def test_pages_take_few_queries_and_stay_light(
    acme: Tenant, scene: Scene, monkeypatch: pytest.MonkeyPatch, reach: str
) -> None:
    roles = {scene.open_project: "contributor"} if reach != "tenant" else {}
    client = signed_in(person_in(roles, "" if reach == "project" else "viewer"))
    for name in PAGES:
        path = address(name, scene)
        client.get(path)
        with counted(monkeypatch) as told:
            answer = client.get(path)
        shown = name + "".join(f"\n{' '.join(sql.split())[:120]}" for sql in told)
        assert answer.status_code == 200, name
        walks = [sql for sql in told if " AS k0" in sql or sql.startswith(WALKS)]
        assert len(walks) <= 5, shown
        about_who = [sql for sql in told if any(f"FROM {part}" in sql.replace('"', "") for part in ABOUT_WHO)]
        assert len(about_who) <= WHO_ASKS, shown
        assert 0 < len(told) - max(len(walks) - 1, 0) <= MORE.get(name, MAX_QUERIES), shown
        assert len(answer.content) < MAX_HTML_BYTES, name


@pytest.mark.parametrize("role", ["viewer", "admin"])
def test_what_a_person_may_is_what_django_reads(
    acme: Tenant, scene: Scene, role: str, django_user_model: Callable[..., Any]
) -> None:
    person: Any = person_in({scene.project: "viewer"}, role)
    again: Any = django_user_model.objects.get(pk=person.pk)  # type: ignore[attr-defined]
    by_django = {
        f"{one.content_type.app_label}.{one.codename}"
        for group in again.groups.all()
        for one in group.permissions.select_related("content_type")
    }
    assert person.get_all_permissions() == by_django
    assert len(by_django) > 20
