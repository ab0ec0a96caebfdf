"""Rules of the house that no linter has: each reads one source and says what breaks it."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCES = tuple(
    path
    for folder in ("apps", "maestro", "config")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if "migrations" not in path.parts
)
DOORS = ("api", "mlflow", "admin", "management", "pages", "tasks.py", "middleware.py")
MOST_MODULES = 20
MOST_COLUMNS = 120

NETWORK = (
    "socket",
    "http.client",
    "http.server",
    "urllib.request",
    "requests",
    "httpx",
    "aiohttp",
    "ftplib",
    "smtplib",
)
# The one way out, the servers that are started beside us, and the watch for a database that has fallen silent.
MAY_SPEAK = (
    "maestro/egress.py",
    "apps/registry/imports/streams.py",
    "maestro/database/silence.py",
    "maestro/embedded/",
)

HTTP = ("django.http", "rest_framework")
# Where a library hands over the request: sign-in, DRF's authentication and replayed answers, the admin's classes, and
# the actor that is read out of a request once for every room.
MEETS_REQUESTS = (
    "apps/tenants/access/audited_admin.py",
    "apps/tenants/access/idempotency.py",
    "apps/tenants/access/keys/authentication.py",
    "apps/tenants/access/people/admin.py",
    "apps/tenants/access/people/principal.py",
    "apps/tenants/access/sign_in/",
)

# Callbacks that an upper room gives to a lower one when it starts, and what is loaded by its name.
LATE_IMPORTS = {
    "apps/tracking/apps.py": "offers the folders of traces, forgets what forges sent of people who are erased",
    "apps/registry/apps.py": "offers the folders of logged models, follows moved runs, spares what is relied on, tells what names bytes and serves",
    "apps/recommendations/apps.py": "tells the registry's search what the estimates say",
    "maestro/lazily.py": "loads a heavy module when it is first used",
    "config/lane.py": "reads the rooms' own tables of MLflow calls",
    "maestro/prose.py": "sets a bound of the Markdown library, which has no other way to it",
    "config/apps.py": "registers the checks of a start",
    "config/serve.py": "loads once what every worker that it forks would load for itself",
}


def is_door(path: Path) -> bool:
    """Say whether a module of a room is one of its doors."""
    return any(part in DOORS for part in path.relative_to(ROOT).parts)


def imported(tree: ast.AST) -> Iterator[str]:
    """Name what a source imports: modules, and what is taken out of them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def is_in(name: str, modules: tuple[str, ...]) -> bool:
    """Say whether a dotted name is one of these modules, or inside one."""
    return any(name == module or name.startswith(module + ".") for module in modules)


def speaks_to_the_network(where: str, source: str) -> list[str]:
    """List the network modules that a source imports, unless it may."""
    if where.startswith(MAY_SPEAK):
        return []
    return sorted({name for name in imported(ast.parse(source)) if is_in(name, NETWORK)})


def knows_http(where: str, source: str) -> list[str]:
    """List what a chamber imports of Django's or DRF's HTTP, unless requests are handed to it."""
    in_room = where.startswith("apps/") and not is_door(ROOT / where)
    if not in_room or where.startswith(MEETS_REQUESTS):
        return []
    return sorted({name for name in imported(ast.parse(source)) if is_in(name, HTTP)})


def imports_late(where: str, source: str) -> list[int]:
    """List the lines that import by name or look a model up by name, unless the allow-list says why."""
    if where in LATE_IMPORTS:
        return []
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    return [call.lineno for call in calls if re.search(r"(import_module|apps\.get_model)$", ast.unparse(call.func))]


def is_too_wide(where: str, source: str) -> list[int]:
    """List the lines of a template, a style sheet or a script that are too wide; one tag alone may be."""
    lines = enumerate(source.splitlines(), 1)
    alone = re.compile(r"\s*\{%[^%]*%\}\s*")
    return [number for number, line in lines if len(line) > MOST_COLUMNS and not alone.fullmatch(line)]


def is_laid_out_by_hand(where: str, source: str) -> list[int]:
    """List the lines that tell the formatter to stay away, as comments do and strings do not."""
    comments = (one for one in tokenize.generate_tokens(io.StringIO(source).readline) if one.type == tokenize.COMMENT)
    return [one.start[0] for one in comments if re.match(r"#\s*fmt:\s*(skip|off)", one.string)]


def modules_by_folder() -> dict[str, int]:
    """Count the modules of each folder."""
    counts: dict[str, int] = {}
    for path in SOURCES:
        if path.name != "__init__.py":
            folder = str(path.parent.relative_to(ROOT))
            counts[folder] = counts.get(folder, 0) + 1
    return counts
