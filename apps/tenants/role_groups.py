"""The access room: what each role may do in the admin, as permissions of four Groups."""

from django.contrib.auth.models import Group, Permission
from django.db.models import Q

from maestro.principals import ROLES

ROOMS = ("tracking", "registry", "recommendations")
GUARDED = Q(content_type__app_label="access") | Q(content_type__app_label__in=("auth", "factors"))


def make_groups() -> None:
    """Make the role groups and give each its permissions: viewers look, contributors change, admins rule."""
    rooms = Q(content_type__app_label__in=ROOMS)
    looks = Permission.objects.filter(rooms, codename__startswith="view_")
    changes = Permission.objects.filter(rooms).exclude(codename__startswith="delete_")
    rules = Permission.objects.filter(rooms | GUARDED)
    for role, permissions in zip(ROLES, (looks, changes, changes, rules), strict=True):
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set(permissions)
