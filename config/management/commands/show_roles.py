"""The roof's door: `manage.py show_roles`: docs/roles.md, from the URL table itself."""

from collections.abc import Iterator, Mapping
from typing import Any

from config.routes import Route, all_routes
from maestro.commands import MaestroCommand

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
HEAD = """# Who may do what

Made by `manage.py show_roles > docs/roles.md`; a test compares. Roles: viewer < contributor < approver < admin, in the
tenant and in single projects; the table says the least that a method demands.

- **In the tenant**: counts for everything. **In a project** (a person's, or a key of one project): counts for that project's
  things. What belongs to others is answered as if it were not there (404), lists leave it out, and what needs the whole
  tenant (making projects, trainings, the audit log) is refused (403).
- **Both**: the higher counts. A viewer of the tenant who is a contributor of one project looks at everything and changes
  that project; what else they try to change is refused (403), not denied to exist.
- New things belong to the only project in reach; who has several says which (an experiment's tag `maestro.project`, a
  `project` field). Artifacts without a project are everybody's to see, and the tenant's to change.
- **Pages below `/admin/`** follow the same rules: who has roles in projects only meets projects, experiments, runs, their
  files, comparisons and CSV, and artifacts, within these projects; every other page is closed (403). A project's form is
  its contributors'. Else the permissions of the role's group decide.

`open` routes say why below the table. The same MLflow routes are served below `/ajax-api/`.

| route | GET | POST | PUT | PATCH | DELETE |
|---|---|---|---|---|---|
"""


def plain_routes() -> list[Route]:
    """List each declared route once, without twins."""
    found = {route.pattern: route for route in all_routes() if route.declared and not route.guarded_by_admin}
    return [found[name] for name in sorted(found) if not name.startswith("ajax-api/")]


def cells(route: Route) -> Iterator[str]:
    """Write what each method demands."""
    declared = route.view.required_role
    for method in METHODS:
        handled = hasattr(route.view, method.lower())
        if declared is None:
            yield "open" if handled or not hasattr(route.view, "as_view") else ""
        elif isinstance(declared, Mapping):
            yield declared.get(method, "") if handled else ""
        else:
            yield declared if handled else ""


def escaped(pattern: str) -> str:
    """Keep a bar in a pattern from ending a cell."""
    return pattern.replace("|", "\\|")


def page() -> str:
    """Write the page."""
    routes = plain_routes()
    lines = [f"| `/{escaped(route.pattern)}` | " + " | ".join(cells(route)) + " |" for route in routes]
    reasons = {r.view.public_reason: None for r in routes if r.view.required_role is None}
    named = ["", "Open, because:", ""] + [f"- {reason}" for reason in reasons]
    return HEAD + "\n".join([*lines, *named]) + "\n"


class Command(MaestroCommand):
    """Print the table of routes and roles."""

    help = "Print every route of the APIs with the role that each method demands, as a page for docs/roles.md."
    example = "manage.py show_roles > docs/roles.md"

    def answer(self, *args: Any, **options: Any) -> dict[str, Any]:
        """Name the role of each method of each route; null where anybody is let in."""
        table = {route.pattern: dict(zip(METHODS, cells(route), strict=True)) for route in plain_routes()}
        return {
            f"/{pattern}": {method: None if role == "open" else role for method, role in row.items() if role}
            for pattern, row in table.items()
        }

    def show(self, result: dict[str, Any]) -> None:
        """Print the page, or the same as JSON."""
        if self.as_json:
            super().show(result)
        else:
            self.stdout.write(page(), ending="")
