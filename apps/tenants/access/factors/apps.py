"""Second factors, a sub-app of tenants: beside the people in every schema, and so in the operators' too."""

from django.apps import AppConfig


class FactorsConfig(AppConfig):
    """What people have beside their passwords. The access room knows the rules."""

    name = "apps.tenants.access.factors"
    label = "factors"
    verbose_name = "second factors"
    default_auto_field = "django.db.models.BigAutoField"
