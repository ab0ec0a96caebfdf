"""The tenants room: what operators' acts on tenants are called in their log."""

from apps.tenants.models import Action


class Act(Action):
    """What an operator did to a tenant."""

    TENANT_CREATE = "tenant.create"
    TENANT_SUSPEND = "tenant.suspend"
    TENANT_RESUME = "tenant.resume"
    TENANT_QUOTA = "tenant.quota"
    TENANT_BEGIN_ERASING = "tenant.begin_erasing"
    TENANT_ERASE = "tenant.erase"
    TENANT_EXPORT = "tenant.export"
    TENANT_IMPORT = "tenant.import"
