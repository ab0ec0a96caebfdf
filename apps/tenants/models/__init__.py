"""The tenants room: what the public schema keeps."""

from apps.tenants.models.events import Action, OperatorEvent
from apps.tenants.models.jobs import Job
from apps.tenants.models.tenants import Domain, TemplateSchema, Tenant

__all__ = ["Action", "Domain", "Job", "OperatorEvent", "TemplateSchema", "Tenant"]
