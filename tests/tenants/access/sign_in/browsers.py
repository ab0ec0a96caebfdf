"""A browser on its way through a sign-in with an identity provider."""

import uuid
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.test import Client

from tests.issuer import Issuer

CALLBACK = "/sign-in/callback/"
SECRET = "the-clients-own-secret-0123456789"


class Browser:
    """One browser on acme's host, on its way through a sign-in."""

    def __init__(self, issuer: Issuer, host: str = "acme.localhost") -> None:
        self.issuer, self.client = issuer, Client(headers={"host": host})
        self.asked: dict[str, str] = {}

    def begin(self, following: str = "") -> dict[str, str]:
        """Ask to sign in; return what the provider is asked."""
        answer = self.client.get("/sign-in/work/", {"next": following} if following else {})
        assert answer.status_code == 302, answer.content
        self.asked = dict(parse_qsl(urlsplit(answer["Location"]).query))
        return self.asked

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Write the claims of an honest provider."""
        honest = {"aud": "maestro", "sub": "u-1", "nonce": self.asked["nonce"], "groups": ["ml", "tennis"]}
        return honest | {"preferred_username": "ada", "email": "ada@acme.example", "email_verified": True} | changes

    def come_back(self, token: str | None = None, **changes: Any) -> Any:
        """Return with a code that is worth a token."""
        code = uuid.uuid4().hex
        id_token = token if token is not None else self.issuer.token(**self.claims(**changes))
        self.issuer.grants[code] = {"id_token": id_token, "challenge": self.asked["code_challenge"]}
        return self.client.get(CALLBACK, {"code": code, "state": self.asked["state"]})

    def is_in(self) -> bool:
        """Say whether the admin opens."""
        return self.client.get("/admin/").status_code == 200
