"""The access room: what a person is here: a role in the tenant, roles in projects, or both."""

from django.contrib.auth.models import User

from apps.tenants.access.models import ProjectRole, role_of_person
from apps.tenants.routing import this_tenant
from maestro.api.auth import Principal
from maestro.errors import Forbidden


def principal_of_person(person: User) -> Principal:
    """Read a person's roles as they are now. Raises Forbidden for who has none anywhere in the tenant."""
    role = role_of_person(person)
    roles = dict(ProjectRole.objects.filter(user=person).values_list("project_id", "role"))
    if role is None and not roles:
        raise Forbidden("you have no role in this tenant", "no_role")
    return Principal(
        kind="person",
        id=str(person.pk),
        name=person.get_username(),
        role=role or "",
        schema=this_tenant().schema_name,
        project_roles=roles,
    )
