"""The tenants room: how many bytes a tenant may keep, which operators say."""

from django.db import transaction

from apps.tenants import provisioning
from apps.tenants.actions import Act
from apps.tenants.ending import told
from apps.tenants.models import Tenant
from maestro import limits
from maestro.errors import Invalid


def set_quota(slug: str, quota_bytes: int | None, *, by: str) -> Tenant:
    """Bound a tenant, or unbound it with None. What it keeps already stays. Raises NotFound, Invalid."""
    if quota_bytes is not None and not 0 <= quota_bytes <= limits.QUOTA_BYTES:
        raise Invalid(f"a quota is 0 to {limits.QUOTA_BYTES} bytes", "bad_quota")
    tenant = provisioning.fetch(slug)
    before = tenant.quota_bytes
    if before == quota_bytes:
        return tenant
    with transaction.atomic():
        tenant.quota_bytes = quota_bytes
        tenant.save(update_fields=["quota_bytes"])
        was, now = {"quota_bytes": before}, {"quota_bytes": quota_bytes}
        told(tenant, Act.TENANT_QUOTA, by, before=was, after=now)
    return tenant
