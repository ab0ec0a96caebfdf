"""The access room: keys, publishers, people's sign-in, roles, audit."""

from apps.tenants.access.models.audit import AuditEvent, AuditRetention
from apps.tenants.access.models.idempotency import IdempotentRequest
from apps.tenants.access.models.keys import ApiKey
from apps.tenants.access.models.people import OidcLink, OidcProvider, RefreshToken
from apps.tenants.access.models.publishers import TrustedPublisher, UsedToken
from apps.tenants.access.models.roles import ProjectRole, role_of_person

__all__ = [
    "ApiKey",
    "AuditEvent",
    "AuditRetention",
    "IdempotentRequest",
    "OidcLink",
    "OidcProvider",
    "ProjectRole",
    "RefreshToken",
    "TrustedPublisher",
    "UsedToken",
    "role_of_person",
]
