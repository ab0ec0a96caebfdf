"""The access room's pages: to the identity provider, back from it, and out."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from django.contrib import auth
from django.contrib.sessions.backends.base import SessionBase
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.views.decorators.cache import never_cache
from django.views.generic import View
from mozilla_django_oidc.views import OIDCAuthenticationCallbackView, OIDCAuthenticationRequestView

from apps.tenants.access.models import OidcProvider
from apps.tenants.access.pages import begun
from apps.tenants.access.pages.begun import Begun
from apps.tenants.access.sign_in.oidc import endpoint, fetch_provider, library_settings
from maestro.api.permissions import public_route
from maestro.errors import Forbidden, MaestroError
from maestro.http.pages import page
from maestro.oidc import BadToken

logger = logging.getLogger("maestro.signin")
MOST_NEXT = 500


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
        """Redirect, and remember in this browser what the answer has to fit."""
        found = fetch_provider(provider)
        request.library_settings = library_settings(found)  # type: ignore[attr-defined]
        self.OIDC_OP_AUTH_ENDPOINT = self.get_settings("OIDC_OP_AUTHORIZATION_ENDPOINT")
        self.OIDC_RP_CLIENT_ID = found.client_id
        with aside(request) as told:
            answer = super().get(request)
        ((state, made),) = told["oidc_states"].items()
        following = told["oidc_login_next"] or ""
        fresh = Begun(state, found.slug, made["nonce"], made["code_verifier"], following[:MOST_NEXT])
        begun.write(answer, [*begun.read(request), fresh])
        return answer


@contextmanager
def aside(request: HttpRequest) -> Iterator[SessionBase]:
    """Let the library write into a session that nobody keeps. Who asks is looked up before, in the real one."""
    kept, _ = request.session, request.user.is_authenticated
    request.session = scratch = SessionBase()  # type: ignore[assignment]
    try:
        yield scratch
    finally:
        request.session = kept


@public_route("the identity provider sends a person back here; state, nonce and PKCE bind it to this browser")
@method_decorator(never_cache, name="dispatch")
class Callback(PerProvider, OIDCAuthenticationCallbackView):
    """The way back."""

    on_its_way: Begun

    def get(self, request: HttpRequest) -> HttpResponse:
        """Sign the person in, or say that it did not work: why stands in the log only."""
        waiting, state = begun.read(request), request.GET.get("state", "")
        found = next((one for one in waiting if one.state == state), None)
        if found is None:
            raise SuspiciousOperation("this sign-in was not begun here")
        self.on_its_way = found
        try:
            answer = self.come_back(request)
        except MaestroError as refusal:
            answer = page(request, refusal)
        begun.write(answer, [one for one in waiting if one is not found])
        return answer

    def come_back(self, request: HttpRequest) -> HttpResponse:
        """Trade the code for a person. Raises Forbidden, always with the same words."""
        found = fetch_provider(self.on_its_way.provider)
        if request.GET.get("error") or request.GET.get("iss", found.issuer) != found.issuer:
            raise Forbidden("the identity provider did not let you in", "sign_in_refused")
        request.oidc_provider = found  # type: ignore[attr-defined]
        request.library_settings = library_settings(found)  # type: ignore[attr-defined]
        try:
            with aside(request) as told:
                bound = {"nonce": self.on_its_way.nonce, "code_verifier": self.on_its_way.code_verifier}
                self.user = auth.authenticate(request=request, **bound)
        except BadToken as error:
            logger.warning("sign-in by %s refused: %s", found.slug, error.detail)
            return self.login_failure()
        if self.user is None or not begun.take(self.on_its_way, timezone.now()):
            return self.login_failure()
        answer = self.login_success()
        request.session.update({"oidc_provider": found.slug, "oidc_id_token": told["oidc_id_token"]})
        return answer

    def login_failure(self) -> HttpResponse:
        """Refuse with the same words, whatever was wrong."""
        raise Forbidden("the sign-in did not work; ask your admin to look at the log", "sign_in_refused")

    @property
    def success_url(self) -> str:
        """Where they wanted to go when they began; the library looked whether that is a page of ours."""
        return self.on_its_way.following or str(self.get_settings("LOGIN_REDIRECT_URL"))


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
