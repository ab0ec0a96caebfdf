"""The access room: admin pages of what belongs to a project: each person meets the projects that they reach."""

import uuid
from typing import Any, ClassVar

from django.contrib.admin import ModelAdmin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from apps.tenants.access.people.principal import looker
from maestro.principals import RANK


class ByProject(ModelAdmin):
    """Rows of projects, to look at. Put it before the admin class whose rights it widens."""

    by_project: ClassVar[bool] = True
    # From a row to its project's id, as a filter writes it; what has no project is everybody's to see.
    project_path: ClassVar[str] = "project_id"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        """Rows within reach."""
        rows, projects = super().get_queryset(request), looker(request).projects
        if projects is None:
            return rows
        path = self.project_path
        shared = Q(**{f"{path}__isnull": True}) if path not in {"pk", "id"} else Q()
        return rows.filter(Q(**{f"{path}__in": projects}) | shared)

    def project_of(self, row: Model) -> uuid.UUID | None:
        """The project that a row belongs to."""
        found: Any = row
        for part in self.project_path.split("__"):
            found = getattr(found, part)
        return found  # type: ignore[no-any-return]

    def holds(self, request: HttpRequest, role: str, row: Model | None) -> bool:
        """Say whether somebody's roles in projects give them a role over a row; without a row: over any."""
        held = looker(request).project_roles
        if row is not None:
            project = self.project_of(row)
            has = held.get(project, "") if project is not None else ""
            return RANK.get(has, -1) >= RANK[role] or (bool(held) and project is None and role == "viewer")
        return any(RANK[has] >= RANK[role] for has in held.values())

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By the person's groups, or by a role in the project."""
        return super().has_view_permission(request, obj) or self.holds(request, "viewer", obj)

    def has_module_permission(self, request: HttpRequest) -> bool:
        """By the person's groups, or by a role in any project."""
        return super().has_module_permission(request) or self.holds(request, "viewer", None)


class RuledByProject(ByProject):
    """Rules of the tenant, which its admins change, and of projects, which theirs change."""

    def rules_all(self, request: HttpRequest) -> bool:
        """Say whether somebody rules the whole tenant in this."""
        raise NotImplementedError

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Only who rules all, or a project."""
        return self.rules_all(request) or self.holds(request, "admin", None)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only who rules all, or its project."""
        return self.rules_all(request) or self.holds(request, "admin", obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only who rules all, or its project; many at once, only who rules all."""
        return self.rules_all(request) or (obj is not None and self.holds(request, "admin", obj))


class ChangedByProject(ByProject):
    """Rows of projects that the project's contributors may change."""

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """By the person's groups, or by a role in the project."""
        return super().has_change_permission(request, obj) or self.holds(request, "contributor", obj)
