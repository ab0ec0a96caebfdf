"""The access room: people made at the machine itself, with a password that is printed once."""

from django.contrib.auth.models import Group, User
from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import ApiKey, ProjectRole
from apps.tenants.access.sign_in.resets import end_all
from maestro.principals import ROLES, Actor


def add_person(username: str, *, password: str, role: str, project: str | None, by: Actor) -> bool:
    """Make a person of the tenant, or give them a new password and role. Says whether they are new. Raises NotFound."""
    with transaction.atomic():
        person, is_new = let_in(username, password)
        end_all(person)
        if project:
            within = ApiKey.objects.project_id_of(project)
            ProjectRole.objects.update_or_create(user=person, project_id=within, defaults={"role": role})
        else:
            person.groups.set([*person.groups.exclude(name__in=ROLES), Group.objects.get(name=role)])
        act = Act.PERSON_ADD if is_new else Act.PERSON_RESET
        record(by, act, subject=person, after={"username": username, "role": role, "project": project})
    return is_new


def add_operator(username: str, *, password: str, by: Actor) -> bool:
    """Make an operator of the installation, or give them a new password. Says whether they are new."""
    with transaction.atomic():
        person, is_new = let_in(username, password, is_superuser=True)
        act = Act.OPERATOR_ADD if is_new else Act.OPERATOR_NEW_PASSWORD
        record(by, act, subject=person, after={"username": username})
    return is_new


def let_in(username: str, password: str, *, is_superuser: bool = False) -> tuple[User, bool]:
    """Make an account that may see pages, or open it again, with this password."""
    person, is_new = User.objects.get_or_create(username=username)
    person.is_staff = person.is_active = True
    person.is_superuser = person.is_superuser or is_superuser
    person.set_password(password)
    person.save()
    return person, is_new
