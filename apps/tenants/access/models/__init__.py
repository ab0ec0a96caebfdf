"""The access room: keys, roles, audit."""

from apps.tenants.access.models.audit import AuditEvent
from apps.tenants.access.models.idempotency import IdempotentRequest
from apps.tenants.access.models.keys import ApiKey
from apps.tenants.access.models.roles import ProjectRole, role_of_person

__all__ = ["ApiKey", "AuditEvent", "IdempotentRequest", "ProjectRole", "role_of_person"]
