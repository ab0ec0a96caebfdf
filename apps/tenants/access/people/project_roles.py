"""The access room: giving somebody a role in one project, and taking it back.

Projects belong to a room above this one, so their rows are asked for by SQL and known here by id only.
"""

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import ApiKey, ProjectRole
from maestro.errors import Forbidden, NotFound
from maestro.principals import RANK, Actor, Principal

MOST_CHOICES = 2_000


def project_choices() -> list[tuple[str, str]]:
    """List the tenant's projects for a form: id and name."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT id::text, name || ' (' || slug || ')' FROM tracking_project ORDER BY name, id LIMIT %s",
            [MOST_CHOICES],
        )
        return list(cursor.fetchall())


def project_within(principal: Principal, reference: str) -> uuid.UUID:
    """Find a project by slug or id. Raises NotFound, in the same words for one that is out of reach."""
    found = ApiKey.objects.project_id_of(reference)
    if principal.projects is not None and found not in principal.projects:
        raise NotFound(f"there is no project {reference!r}")
    return found


def person_named(username: str) -> User:
    """Find an active person. Raises NotFound."""
    person = User.objects.filter(username=username[:150], is_active=True).first()
    if person is None:
        raise NotFound("there is no such person")
    return person


def grant(by: Actor, username: str, *, project: uuid.UUID, role: str) -> tuple[ProjectRole, bool]:
    """Give a person a role in a project, and the way to the pages. Says whether it is new.

    Raises NotFound, or Forbidden for a role beyond the giver's own there, and for a CI job, which gives none.
    """
    giver = by.who
    if giver.kind == "job":
        raise Forbidden("a CI job gives no roles")
    if not giver.has_role(role, project):
        raise Forbidden(f"you can't give the role {role}, which you do not have yourself")
    with transaction.atomic():
        person = person_named(username)
        before = ProjectRole.objects.select_for_update().filter(user=person, project_id=project).first()
        if before is not None and RANK[before.role] > RANK[giver.role] and not giver.has_role(before.role, project):
            raise Forbidden("you can't lower somebody who stands above you")
        row, is_new = ProjectRole.objects.update_or_create(user=person, project_id=project, defaults={"role": role})
        if not person.is_staff:
            User.objects.filter(pk=person.pk).update(is_staff=True)
        if before is None or before.role != role:
            was = {"role": before.role} if before else None
            record(by, Act.PROJECT_ROLE_GRANT, subject=row, before=was, after=told(row))
    return row, is_new


def withdraw(by: Actor, username: str, *, project: uuid.UUID) -> None:
    """Take a person's role in a project back. Raises NotFound if they have none, Forbidden for one above the giver."""
    with transaction.atomic():
        row = ProjectRole.objects.select_for_update().filter(user__username=username, project_id=project).first()
        if row is None:
            raise NotFound("this person has no role in this project")
        if by.who.kind == "job" or not by.who.has_role(row.role, project):
            raise Forbidden("you can't take back a role that you do not have yourself")
        record(by, Act.PROJECT_ROLE_WITHDRAW, subject=row, before=told(row))
        row.delete()


def told(row: ProjectRole) -> dict[str, str]:
    """Write what the audit log keeps of a role."""
    return {"username": row.user.get_username(), "project": str(row.project_id), "role": row.role}


def write_down(
    by: Actor, *, given: Iterable[ProjectRole], changed: Iterable[ProjectRole], taken: Iterable[Any]
) -> None:
    """Write down what a form did to the roles of a person, in its own transaction."""
    for row in given:
        record(by, Act.PROJECT_ROLE_GRANT, subject=row, after=told(row))
    for row in changed:
        record(by, Act.PROJECT_ROLE_CHANGE, subject=row, after=told(row))
    for row in taken:
        record(by, Act.PROJECT_ROLE_WITHDRAW, object_type="ProjectRole", before=told(row))
