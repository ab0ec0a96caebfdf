"""The tracking room: projects and their people: made, changed, joined and left."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, transaction

from apps.tenants.access.audit.recording import fields_of, record
from apps.tracking import plans
from apps.tracking.actions import Act
from apps.tracking.models import Member, Project
from apps.tracking.scoping import projects_for, require_tenant_wide
from maestro.errors import AlreadyExists, NotFound
from maestro.principals import Actor


def make(fields: Mapping[str, Any], by: Actor) -> Project:
    """Make a project. Raises AlreadyExists, or Forbidden for who reaches some projects only."""
    require_tenant_wide(by.who, "make projects")
    try:
        with transaction.atomic():
            project = Project.objects.create(**{"name": fields["slug"], **fields})
            plans.note(project, by)
            record(by, Act.PROJECT_CREATE, subject=project, after=fields_of(project))
    except IntegrityError as error:
        raise AlreadyExists(f"the slug {fields['slug']!r} is taken") from error
    return project


def change(reference: str, read: Callable[[Project], Mapping[str, Any]], by: Actor) -> Project:
    """Write what `read` makes of the project, which is held meanwhile; the same facts again change nothing.

    Raises NotFound, and whatever `read` does.
    """
    with transaction.atomic():
        project = projects_for(by.who).select_for_update().fetch(reference)
        fields = read(project)
        changed = {name: value for name, value in fields.items() if getattr(project, name) != value}
        before = {name: getattr(project, name) for name in changed}
        if changed:
            plans.begin(project)
        for name, value in changed.items():
            setattr(project, name, value)
        if changed:
            project.save(update_fields=[*changed])
            plans.note(project, by)
            record(by, Act.PROJECT_CHANGE, subject=project, before=before, after=changed)
    return project


def put_member(reference: str, username: str, fields: Mapping[str, Any], by: Actor) -> tuple[Member, bool]:
    """Put a person of this tenant into a project, or change their title. Returns them, and whether they are new.

    Raises NotFound.
    """
    with transaction.atomic():
        found = projects_for(by.who).fetch(reference)
        user = User.objects.filter(username=username).first()
        if user is None:
            raise NotFound("there is no such person")
        old = Member.objects.filter(project=found, user=user).first()
        before = None if old is None else told(old)
        member, is_new = Member.objects.update_or_create(project=found, user=user, defaults=dict(fields))
        if before != told(member):
            record(by, Act.MEMBER_PUT, subject=member, before=before, after=told(member))
    return member, is_new


def drop_member(reference: str, username: str, by: Actor) -> None:
    """Take a person out of a project. Raises NotFound."""
    with transaction.atomic():
        members = Member.objects.select_related("user").filter(project=projects_for(by.who).fetch(reference))
        member = members.filter(user__username=username).first()
        if member is None:
            raise NotFound("there is no such member")
        record(by, Act.MEMBER_DELETE, subject=member, before=told(member))
        member.delete()


def told(member: Member) -> dict[str, Any]:
    """Tell the log of a person's part in a project."""
    return {"project": str(member.project_id), "username": member.user.get_username(), "title": member.title}
