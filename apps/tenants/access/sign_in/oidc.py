"""The access room: people's sign-in by their identity provider: mozilla-django-oidc, per tenant and hardened.

What the library leaves open is closed here: issuer, audience, authorised party and times are checked, keys are
kept and asked for again, every call out has an end, and nobody is found by e-mail.

Source  SECURITY class D8; RFC 9700 (PKCE, mix-up), RFC 9207 (iss in the answer)
"""

import base64
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from django.contrib.auth.models import User
from django.http import HttpRequest
from mozilla_django_oidc.auth import OIDCAuthenticationBackend

from apps.tenants.access.models import OidcProvider
from apps.tenants.access.people import from_claims
from apps.tenants.access.people.known import KnownPermissions
from apps.tenants.access.people.principal import acting
from apps.tenants.access.sign_in.sealing import unseal
from maestro.egress import fetch
from maestro.errors import Invalid
from maestro.oidc import BadToken, Keys, discover, verify_id_token

FORM = "application/x-www-form-urlencoded"


def endpoint(provider: OidcProvider, name: str, field: str) -> str:
    """Read an endpoint from the provider's row, else from its own configuration. Empty if it has none."""
    written = getattr(provider, field, "")
    found = written or discover(provider.issuer).get(name, "")
    return found if isinstance(found, str) else ""


def library_settings(provider: OidcProvider) -> dict[str, Any]:
    """Write a provider in the library's words."""
    return {
        "OIDC_OP_AUTHORIZATION_ENDPOINT": endpoint(provider, "authorization_endpoint", "authorization_url"),
        "OIDC_OP_TOKEN_ENDPOINT": endpoint(provider, "token_endpoint", "token_url"),
        "OIDC_OP_USER_ENDPOINT": endpoint(provider, "userinfo_endpoint", "userinfo_url"),
        "OIDC_OP_JWKS_ENDPOINT": endpoint(provider, "jwks_uri", "jwks_url"),
        "OIDC_RP_CLIENT_ID": provider.client_id,
        "OIDC_RP_SCOPES": provider.scopes,
        "OIDC_AUTHENTICATION_CALLBACK_URL": "sign_in_callback",
        "OIDC_USE_NONCE": True,
        "OIDC_USE_PKCE": True,
        "OIDC_PKCE_CODE_CHALLENGE_METHOD": "S256",
        "OIDC_STORE_ID_TOKEN": True,
        "OIDC_RENEW_ID_TOKEN_EXPIRY_SECONDS": 900,
        "LOGIN_REDIRECT_URL": "/admin/",
    }


class OidcBackend(KnownPermissions, OIDCAuthenticationBackend):
    """One sign-in with one provider of the current tenant."""

    def __init__(self) -> None:
        """Read nothing: which provider is meant is known only with the request."""
        self.UserModel = User

    def get_user(self, user_id: int) -> User | None:
        """Fetch the person of a session, who may have been closed out since."""
        return User.objects.filter(pk=user_id, is_active=True).first()

    def get_settings(self, attr: str, *args: Any) -> Any:
        """Read a setting of this sign-in's provider instead of one for the whole installation."""
        return self.settings.get(attr, args[0] if args else None)

    def authenticate(self, request: HttpRequest, *, nonce: str, code_verifier: str) -> User | None:  # type: ignore[override]
        """Trade the code for tokens and these for a person. Never asked with a password: the names differ."""
        self.provider: OidcProvider = request.oidc_provider  # type: ignore[attr-defined]
        self.settings = library_settings(self.provider)
        self.OIDC_OP_TOKEN_ENDPOINT = self.settings["OIDC_OP_TOKEN_ENDPOINT"]
        self.OIDC_RP_CLIENT_ID = self.provider.client_id
        self.OIDC_RP_CLIENT_SECRET = unseal(bytes(self.provider.sealed_secret))
        return super().authenticate(request, nonce=nonce, code_verifier=code_verifier)

    def get_token(self, payload: dict[str, Any]) -> dict[str, Any]:
        """Trade the code at the token endpoint. Raises BadToken if that is refused."""
        secret = payload.pop("client_secret", "")
        headers = {"Content-Type": FORM, "Accept": "application/json"}
        if secret and self.wants_basic():
            pair = f"{quote(self.provider.client_id, safe='')}:{quote(secret, safe='')}"
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        elif secret:
            payload["client_secret"] = secret
        answer = fetch(self.OIDC_OP_TOKEN_ENDPOINT, method="POST", body=urlencode(payload).encode(), headers=headers)
        document = read_object(answer.body)
        if answer.status != 200 or not isinstance(document.get("id_token"), str):
            raise BadToken(f"the token endpoint refuses: {answer.status} {document.get('error', '')!s:.100}")
        return document

    def wants_basic(self) -> bool:
        """Say how the provider wants to be shown the secret; Basic is OpenID Connect's own default."""
        if self.provider.token_url:
            return True
        offered = discover(self.provider.issuer).get("token_endpoint_auth_methods_supported")
        return not isinstance(offered, list) or "client_secret_basic" in offered or "client_secret_post" not in offered

    def verify_token(self, token: str, **kwargs: Any) -> dict[str, Any]:
        """Verify the ID token."""
        return verify_id_token(
            token,
            issuer=self.provider.issuer,
            client_id=self.provider.client_id,
            nonce=str(kwargs.get("nonce") or ""),
            keys=Keys(url=self.settings["OIDC_OP_JWKS_ENDPOINT"]),
        )

    def get_userinfo(self, access_token: str, id_token: str, payload: dict[str, Any]) -> dict[str, Any]:
        """Ask for more claims. Raises BadToken if they are about somebody else."""
        url = self.settings["OIDC_OP_USER_ENDPOINT"]
        if not url or not isinstance(access_token, str):
            return payload
        answer = fetch(url, headers={"Authorization": f"Bearer {access_token}", "Accept": "application/json"})
        claims = read_object(answer.body) if answer.status == 200 else {}
        if claims.get("sub") != payload["sub"]:
            raise BadToken("the user's information is about somebody else")
        return claims | payload

    def get_or_create_user(self, access_token: str, id_token: str, payload: dict[str, Any]) -> User:
        """Find or make the person."""
        claims = self.get_userinfo(access_token, id_token, payload)
        return from_claims.enter(self.provider, claims, acting(self.request))


def read_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is empty."""
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def fetch_provider(slug: str) -> OidcProvider:
    """Fetch a provider that is switched on. Raises Invalid."""
    found = OidcProvider.objects.filter(slug=slug, is_enabled=True).first()
    if found is None:
        raise Invalid("there is no such way to sign in", "no_provider")
    return found
