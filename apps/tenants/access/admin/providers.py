"""The access room's admin: identity providers, and trusted CI jobs to look at."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from apps.tenants.access.actions import Act
from apps.tenants.access.audited_admin import Acts, AuditedAdmin
from apps.tenants.access.models import OidcProvider, TrustedPublisher
from apps.tenants.access.sign_in.sealing import seal
from maestro.admin.sites import LookOnlyAdmin, tenant_site
from maestro.principals import RANK, ROLES


class ProviderForm(forms.ModelForm[OidcProvider]):
    """A provider; its secret goes in and never comes out."""

    client_secret = forms.CharField(
        required=False,
        max_length=1_000,
        widget=forms.PasswordInput(render_value=False, attrs={"autocomplete": "new-password"}),
        help_text="Never shown again. Leave empty to keep the one that is stored.",
    )

    class Meta:
        model = OidcProvider
        exclude = ("sealed_secret",)

    def clean_group_roles(self) -> dict[str, str]:
        """Refuse a map to anything but roles."""
        found = self.cleaned_data["group_roles"] or {}
        if not isinstance(found, dict) or any(role not in RANK for role in found.values()):
            raise ValidationError(f"write an object of their groups and our roles: {', '.join(ROLES)}")
        return found

    def save(self, commit: bool = True) -> Any:
        """Seal the secret if one was given."""
        if secret := self.cleaned_data.get("client_secret"):
            self.instance.sealed_secret = seal(secret)
        return super().save(commit)


@admin.register(OidcProvider, site=tenant_site)
class OidcProviderAdmin(AuditedAdmin):
    """Where people of this tenant sign in."""

    acts = Acts(Act.OIDCPROVIDER_ADD, Act.OIDCPROVIDER_CHANGE, Act.OIDCPROVIDER_DELETE)
    form = ProviderForm
    list_display = ("name", "slug", "issuer", "is_enabled")


@admin.register(TrustedPublisher, site=tenant_site)
class TrustedPublisherAdmin(LookOnlyAdmin):
    """CI jobs that enter without a stored secret. The API makes and deletes them."""

    list_display = ("name", "kind", "issuer", "role", "is_enabled")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Leave deletion to the API, which records it."""
        return False
