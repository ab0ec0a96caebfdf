"""The access room: what a project's end ends here: its keys, its trusted CI jobs and the roles in it."""

import uuid
from datetime import datetime

from django.db import transaction

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.keys import keyring, trusting
from apps.tenants.access.models import ApiKey, ProjectRole, TrustedPublisher
from apps.tenants.access.people.project_roles import told
from maestro.principals import Actor


def end_with_project(by: Actor, project_id: uuid.UUID, at: datetime) -> None:
    """End all that was bound to a project which is being deleted; each leaves its event."""
    with transaction.atomic():
        for publisher in TrustedPublisher.objects.filter(project_id=project_id):
            trusting.distrust(by, publisher, at)
        keyring.end(by, ApiKey.objects.filter(project_id=project_id), at)
        for role in ProjectRole.objects.filter(project_id=project_id).select_related("user"):
            record(by, Act.PROJECT_ROLE_WITHDRAW, subject=role, before=told(role))
            role.delete()
