"""The registry room's admin: the keys whose signatures a tenant believes, and what was signed about a version."""

import uuid
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone

from apps.registry.models import ArtifactVersion, Signature, SigningKey
from apps.registry.signatures import trust
from apps.tenants.access.people.principal import acting
from maestro import limits
from maestro.admin.sites import Part, tenant_site
from maestro.errors import MaestroError

SEES, RULES = "registry.view_signingkey", "registry.delete_signingkey"  # the latter only admins hold
SHOWN = 200


class KeyForm(forms.Form):
    """A key to be trusted."""

    name = forms.CharField(max_length=limits.NAME_CHARS, help_text="Who signs with it, such as: release job")
    kind = forms.ChoiceField(
        choices=SigningKey.Kind.choices, help_text="An authority vouches for all who have a certificate under it."
    )
    pem = forms.CharField(
        label="PEM",
        max_length=limits.PEM_CHARS,
        widget=forms.Textarea(attrs={"rows": 6, "spellcheck": "false"}),
        help_text="The public half: -----BEGIN PUBLIC KEY----- or -----BEGIN CERTIFICATE-----",
    )


def signing_keys(request: HttpRequest) -> HttpResponse:
    """The keys that are trusted, a form for another, and a button to end each."""
    if not request.user.has_perm(SEES):
        raise PermissionDenied
    form = KeyForm(request.POST) if request.method == "POST" and "end" not in request.POST else KeyForm()
    if request.method == "POST":
        if not request.user.has_perm(RULES):
            raise PermissionDenied
        if "end" in request.POST or form.is_valid():
            done = carried_out(request, form)
            if done is not None:
                return done
    context = {
        "title": "Signing keys",
        "form": form if request.user.has_perm(RULES) else None,
        "keys": SigningKey.objects.order_by("ended_at", "name")[:SHOWN],
    }
    return tenant_site.page(request, "admin/registry/signing_keys.html", context)


def carried_out(request: HttpRequest, form: KeyForm) -> HttpResponse | None:
    """Trust the form's key, or end the one whose button was pressed; None if the form has to say what is wrong."""
    try:
        if "end" in request.POST:
            trust.end(identity(request.POST["end"]), acting(request), timezone.now())
            messages.success(request, "The key is trusted no more.")
        else:
            fields = form.cleaned_data
            row = trust.trust(fields["name"], fields["kind"], fields["pem"], acting(request))
            messages.success(request, f"{row.name} is trusted.")
    except MaestroError as refusal:
        if "end" not in request.POST:
            form.add_error("pem" if refusal.code == "bad_signature" else None, refusal.detail)
            return None
        messages.error(request, refusal.detail)
    return HttpResponseRedirect(reverse("admin:signing_keys"))


def identity(text: str) -> uuid.UUID:
    """The id that a button carries; one that nobody has stands for what is none."""
    try:
        return uuid.UUID(text)
    except ValueError:
        return uuid.UUID(int=0)


def signatures(request: HttpRequest, version: ArtifactVersion) -> dict[str, Any]:
    """What was signed about a version, and by whom."""
    rows = list(Signature.objects.filter(version=version).told()[: limits.SIGNATURES])
    is_signed = any(row.is_trusted and row.kind == Signature.Kind.MODEL_SIGNATURE for row in rows)
    keys_url = reverse("admin:signing_keys") if request.user.has_perm(SEES) else ""
    return {"signatures": rows, "is_signed": is_signed, "more_url": keys_url, "more_text": "Trusted keys"}


CARD = "admin/registry/card_signatures.html"
tenant_site.add_page("signing-keys/", signing_keys, "signing_keys")
tenant_site.add_part("version", Part("Signatures", CARD, signatures, "state", 20, "registry.view_signature", True))
