"""The access room: what one request has to know of its person, read in one statement: factor, roles, permissions."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.db import connection as database

from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.principals import RANK

ROLES_HERE = "ARRAY(SELECT {column} FROM access_projectrole WHERE user_id = %(person)s ORDER BY id)"
ASK = """SELECT (SELECT id FROM factors_authenticator WHERE user_id = %(person)s AND confirmed_at IS NOT NULL),
 coalesce((SELECT is_required FROM factors_factorrule), false),
 ARRAY(SELECT g.name FROM auth_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE m.user_id = %(person)s),
 {projects}, {roles},
 ARRAY(SELECT c.app_label || '.' || p.codename FROM auth_permission p JOIN django_content_type c
  ON c.id = p.content_type_id WHERE p.id IN (
   SELECT permission_id FROM auth_user_user_permissions WHERE user_id = %(person)s UNION ALL
   SELECT o.permission_id FROM auth_user_groups m JOIN auth_group_permissions o USING (group_id)
    WHERE m.user_id = %(person)s))"""
IN_TENANT = ASK.format(projects=ROLES_HERE.format(column="project_id"), roles=ROLES_HERE.format(column="role"))
# The public schema has people and no projects.
IN_PUBLIC = ASK.format(projects="ARRAY[]::uuid[]", roles="ARRAY[]::text[]")


@dataclass(frozen=True, slots=True)
class Known:
    """A person's confirmed authenticator and whether one is demanded, their roles, and what their groups permit.

    It is not who acts, but the one row that a page's request reads: a Principal is made of its roles, the second factor
    and Django's permissions of the rest.
    """

    authenticator: int | None
    is_factor_required: bool
    role: str
    project_roles: Mapping[uuid.UUID, str]
    permissions: frozenset[str]


def ask(person: Any) -> Known:
    """Read what is so now."""
    with database.cursor() as cursor:
        cursor.execute(IN_PUBLIC if connection.schema_name == PUBLIC else IN_TENANT, {"person": person.pk})
        authenticator, is_required, groups, projects, roles, permissions = cursor.fetchone()
    held = [name for name in groups if name in RANK]
    role = "admin" if person.is_superuser else max(held, key=RANK.__getitem__, default="")
    in_projects = dict(zip(projects, roles, strict=True))
    return Known(authenticator, is_required, role, in_projects, frozenset(permissions))


def known(person: Any) -> Known:
    """Read the same once for each request's person, as Django does with permissions."""
    kept: Known | None = getattr(person, "maestro_known", None)
    if kept is None:
        kept = person.maestro_known = ask(person)
    return kept


class KnownPermissions(ModelBackend):
    """Django's permissions of groups, without two statements of their own."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        """List what a person may do; Django itself knows that superusers may do all, and who is closed out nothing."""
        if obj is not None or user_obj.is_anonymous or not user_obj.is_active or user_obj.is_superuser:
            return super().get_all_permissions(user_obj, obj)
        return set(known(user_obj).permissions)
