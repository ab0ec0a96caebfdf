"""The house rules that a machine can check: routes, commands, models, migrations, sizes."""

import ast
from pathlib import Path

import pytest
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.urls import path

from config import routes
from maestro.principals import ROLES

ROOT = Path(__file__).resolve().parents[2]
SOURCES = [
    p for folder in ("apps", "maestro", "config") for p in (ROOT / folder).rglob("*.py") if "migrations" not in p.parts
]
WAITS = ("timeout", "connect_timeout", "socket_timeout", "socket_connect_timeout")
# A file that a process writes, and how long a cache keeps a word: no other server is waited for.
OTHER_WAITS = {"apps/tracking/exports/orders.py": "SECONDS", "apps/recommendations/tasks.py": "FORESEE_SECONDS"}
COMMANDS = sorted(p.stem for p in ROOT.glob("apps/**/management/commands/*.py") if p.stem != "__init__")


def test_every_route_declares_a_role() -> None:
    routes.require_declared_roles()
    assert len(routes.all_routes()) > 10


def test_a_bare_route_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = routes.Route("api/v1/secret/", view=path, declared=False)
    monkeypatch.setattr(routes, "all_routes", lambda: [bare])
    with pytest.raises(ImproperlyConfigured, match="api/v1/secret/"):
        routes.require_declared_roles()


def test_declared_roles_are_known() -> None:
    declared = [getattr(route.view, "required_role", None) for route in routes.all_routes()]
    names = {name for value in declared for name in (value.values() if isinstance(value, dict) else [value])}
    assert names - {None} <= set(ROLES)


def test_migrations_are_current(db: None) -> None:
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
    assert apps.ready


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_teaches(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        call_command(name, "--help")
    assert stop.value.code == 0
    assert len(capsys.readouterr().out) > 200


def imports_inside_functions(tree: ast.AST) -> list[int]:
    """List the lines of imports that stand inside a function."""
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    return [n.lineno for f in functions for n in ast.walk(f) if isinstance(n, ast.Import | ast.ImportFrom)]


@pytest.mark.parametrize("source", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_source_keeps_to_the_style(source: Path) -> None:
    text = source.read_text()
    tree = ast.parse(text)
    functions = [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert text.count("\n") <= 300
    assert not [f.name for f in functions if f.end_lineno - f.lineno >= 40]
    assert not imports_inside_functions(tree)
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.AsyncFunctionDef)], "views are WSGI"
    if text.strip():
        assert ast.get_docstring(tree)


def waits_of_its_own(tree: ast.AST) -> set[str]:
    """Name the numbers and constants of a module by which it waits."""
    given = [
        word.value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        for word in call.keywords
        if word.arg in WAITS
    ]
    numbers = {str(value.value) for value in given if isinstance(value, ast.Constant)}
    return numbers | {value.id for value in given if isinstance(value, ast.Name) and value.id.isupper()}


def test_each_server_is_waited_for_by_a_setting_which_tests_lengthen() -> None:
    found = {str(source.relative_to(ROOT)): waits_of_its_own(ast.parse(source.read_text())) for source in SOURCES}
    servers = {name: waits for name, waits in found.items() if waits and not name.startswith("maestro/embedded/")}
    assert servers == {name: {constant} for name, constant in OTHER_WAITS.items()}
    assert waits_of_its_own(ast.parse("connect(url, connect_timeout=3), link(timeout=SECONDS)")) == {"3", "SECONDS"}
