"""The access room's pages: to the identity provider, back from it, and out."""

import logging
from typing import Any
from urllib.parse import urlencode

from django.contrib import auth
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from apps.tenants.access.models import OidcProvider
from apps.tenants.access.sign_in.oidc import endpoint, fetch_provider, library_settings
from maestro.api.permissions import public_route
from maestro.errors import Forbidden, MaestroError
from maestro.oidc import BadToken

logger = logging.getLogger("maestro.signin")
MOST_STATES = 20


class PerProvider:
    """Reads the library's settings from one provider of the tenant."""

    request: HttpRequest

    def get_settings(self, attr: str, *args: Any) -> Any:
        """Read a setting of the provider that this request is about."""
        return self.request.library_settings.get(attr, args[0] if args else None)  # type: ignore[attr-defined]


@public_route("sends a person to the identity provider that the tenant's admin named")
@method_decorator(never_cache, name="dispatch")
class SignIn(PerProvider, OIDCAuthenticationRequestView):
    """The way to the identity provider, with state, nonce and PKCE."""

    def __init__(self, **kwargs: Any) -> None:
        """Skip the library's own, which reads settings of the whole installation."""
        View.__init__(self, **kwargs)

    def get(self, request: HttpRequest, provider: str) -> HttpResponse:
        """Redirect, and remember which provider this state belongs to."""
        found = fetch_provider(provider)
        request.library_settings = library_settings(found)  # type: ignore[attr-defined]
        self.OIDC_OP_AUTH_ENDPOINT = self.get_settings("OIDC_OP_AUTHORIZATION_ENDPOINT")
        self.OIDC_RP_CLIENT_ID = found.client_id
        before = set(request.session.get("oidc_states", {}))
        answer = super().get(request)
        known = request.session.get("oidc_providers", {})
        states = request.session["oidc_states"]
        fresh = dict.fromkeys(set(states) - before, found.slug)
        request.session["oidc_providers"] = {s: n for s, n in (known | fresh).items() if s in states}
        return answer


@public_route("the identity provider sends a person back here; state, nonce and PKCE bind it to this browser")
@method_decorator(never_cache, name="dispatch")
class Callback(PerProvider, OIDCAuthenticationCallbackView):
    """The way back."""

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign the person in, or say that it did not work: why stands in the log only."""
        slug = request.session.get("oidc_providers", {}).pop(request.GET.get("state", ""), None)
        if slug is None:
            raise SuspiciousOperation("this sign-in was not begun here")
        request.session.modified = True
        found = fetch_provider(slug)
        if request.GET.get("error") or request.GET.get("iss", found.issuer) != found.issuer:
            request.session.get("oidc_states", {}).pop(request.GET["state"], None)
            raise Forbidden("the identity provider did not let you in", "sign_in_refused")
        try:
            request.oidc_provider = found  # type: ignore[attr-defined]
            request.library_settings = library_settings(found)  # type: ignore[attr-defined]
            return super().get(request)
        except BadToken as error:
            logger.warning("sign-in by %s refused: %s", found.slug, error.detail)
            return self.login_failure()

    def login_failure(self) -> HttpResponse:
        """Refuse with the same words, whatever was wrong."""
        raise Forbidden("the sign-in did not work; ask your admin to look at the log", "sign_in_refused")

    def login_success(self) -> HttpResponse:
        """Begin a session that knows how it began, for the way out."""
        answer = super().login_success()
        self.request.session["oidc_provider"] = self.request.oidc_provider.slug  # type: ignore[attr-defined]
        return answer


@public_route("ends the session of this browser; needs a CSRF token")
@method_decorator(never_cache, name="dispatch")
class SignOut(View):
    """The way out, here and at the provider."""

    http_method_names = ["post"]

    def post(self, request: HttpRequest) -> HttpResponse:
        """End the session; the page links on to the provider's own sign-out."""
        slug, token = request.session.get("oidc_provider"), request.session.get("oidc_id_token")
        auth.logout(request)
        found = OidcProvider.objects.filter(slug=slug).first() if slug else None
        if found is None:
            return HttpResponseRedirect("/admin/login/")
        return TemplateResponse(
            request, "access/signed_out.html", {"provider": found, "url": way_out(request, found, token)}
        )


def way_out(request: HttpRequest, provider: OidcProvider, token: str | None) -> str:
    """Write the provider's sign-out address; empty if it has none or can't be asked."""
    try:
        url = endpoint(provider, "end_session_endpoint", "logout_url")
    except MaestroError:
        return ""
    back = request.build_absolute_uri("/admin/login/")
    query = {"client_id": provider.client_id, "post_logout_redirect_uri": back} | (
        {"id_token_hint": token} if token else {}
    )
    return f"{url}?{urlencode(query)}" if url.startswith(("https://", "http://")) else ""
