"""The floor: identity tokens of other servers, verified as strictly as the standards allow.

Used for people (OpenID Connect sign-in) and for CI jobs (workload identity). Knows no database.

Source  OpenID Connect Core 1.0 section 3.1.3.7; RFC 8725; SECURITY classes D8 and D10
"""

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from maestro.egress import failures, fetch, place_of
from maestro.errors import Invalid, MaestroError, Unavailable

ALGORITHMS = ("RS256", "ES256")
FAMILIES = {"RS256": "RSA", "ES256": "EC"}
LEEWAY_SECONDS = 30
KEEP_SECONDS = 300.0
COOL_SECONDS = 60.0
RSA_BITS = 2048
TOKEN_CHARS = 16_384
LIFE_SECONDS = 86_400
MOST_URLS = 1_000


class BadToken(MaestroError):
    """An identity token that is not to be believed. `detail` says why, for the log, not for the caller."""

    status = 403
    code = "bad_token"


@dataclass
class Kept:
    """A document of an issuer, and when it was fetched."""

    document: dict[str, Any]
    at: float


@dataclass
class Documents:
    """Issuers' documents: kept for minutes, fetched again for an unknown key, but not at a stranger's pace."""

    kept: dict[str, Kept] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def get(self, url: str, *, fresh: bool = False) -> dict[str, Any]:
        """Fetch a JSON object. `fresh` asks again, at most once a minute. Raises NoAnswer or AddressRefused."""
        now, found = time.monotonic(), self.kept.get(url)
        age = now - found.at if found else None
        if found and age is not None and age < (COOL_SECONDS if fresh else KEEP_SECONDS):
            return found.document
        try:
            document = self.ask(url)
        except Unavailable:
            # An issuer that is down for a while does not lock everybody out while its keys are known.
            if found and not fresh:
                found.at = now - KEEP_SECONDS + COOL_SECONDS
                return found.document
            raise
        with self.lock:
            if len(self.kept) >= MOST_URLS:
                self.kept.clear()
            self.kept[url] = Kept(document, now)
        return document

    def ask(self, url: str) -> dict[str, Any]:
        """Fetch and read one document."""
        answer = fetch(url, headers={"Accept": "application/json"})
        try:
            document = orjson.loads(answer.body)
        except ValueError:
            document = None
        if answer.status != 200 or not isinstance(document, dict):
            failures.note(place_of(url))
            raise Unavailable("the issuer does not answer with a JSON document", "no_answer")
        return document

    def clear(self) -> None:
        """Forget everything (tests)."""
        self.kept.clear()
        failures.clear()


documents = Documents()


def discover(issuer: str) -> dict[str, Any]:
    """Read an issuer's configuration. Raises Invalid if it speaks for another issuer."""
    found = documents.get(issuer.rstrip("/") + "/.well-known/openid-configuration")
    if found.get("issuer") != issuer:
        raise Invalid("the configuration found there belongs to another issuer", "issuer_mismatch")
    return found


@dataclass(frozen=True)
class Keys:
    """Where an issuer's keys come from: an address, or a document that an admin pasted."""

    url: str = ""
    document: Mapping[str, Any] | None = None

    def find(self, kid: str | None, algorithm: str) -> jwt.PyJWK:
        """Choose the key of a token. An unknown id asks the issuer once more. Raises BadToken."""
        if self.document is not None:
            return choose(self.document, kid, algorithm)
        try:
            return choose(documents.get(self.url), kid, algorithm)
        except BadToken:
            return choose(documents.get(self.url, fresh=True), kid, algorithm)


def choose(document: Mapping[str, Any], kid: str | None, algorithm: str) -> jwt.PyJWK:
    """Pick the one signing key that fits. Without an id there must be only one. Raises BadToken."""
    listed = document.get("keys")
    rows = [row for row in listed if isinstance(row, dict)] if isinstance(listed, list) else []
    fitting = [
        row
        for row in rows
        if row.get("kty") == FAMILIES[algorithm]
        and row.get("use", "sig") == "sig"
        and row.get("alg", algorithm) == algorithm
        and (kid is None or row.get("kid") == kid)
    ]
    if len(fitting) != 1:
        raise BadToken("no single key of the issuer fits")
    try:
        key = jwt.PyJWK(fitting[0], algorithm)
    except jwt.PyJWTError as error:
        raise BadToken("the issuer's key can't be read") from error
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < RSA_BITS:
        raise BadToken(f"the issuer's RSA key has less than {RSA_BITS} bits")
    return key


def peek(text: str) -> dict[str, Any]:
    """Read a token's claims without believing them: only to find out whose keys to ask. Raises BadToken."""
    if len(text) > TOKEN_CHARS:
        raise BadToken("the token is too long")
    try:
        return jwt.decode(text, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError) as error:
        raise BadToken("this is not a token") from error


def verify(text: str, *, issuer: str, audience: str, keys: Keys, required: Sequence[str] = ()) -> dict[str, Any]:
    """Verify a token addressed to one audience alone. Raises BadToken."""
    claims = decode(text, issuer=issuer, keys=keys, required=("aud", *required))
    if claims["aud"] != audience:
        raise BadToken("the token is for somebody else, or for others too")
    return claims


def verify_id_token(text: str, *, issuer: str, client_id: str, nonce: str, keys: Keys) -> dict[str, Any]:
    """Verify an ID token of a sign-in: audience, authorised party and nonce as well. Raises BadToken."""
    claims = decode(text, issuer=issuer, keys=keys, required=("aud", "sub"))
    audiences = claims["aud"] if isinstance(claims["aud"], list) else [claims["aud"]]
    if client_id not in audiences:
        raise BadToken("the token is for another client")
    if (len(audiences) > 1 or "azp" in claims) and claims.get("azp") != client_id:
        raise BadToken("the token was issued to another party")
    if not nonce or claims.get("nonce") != nonce:
        raise BadToken("the token belongs to another sign-in")
    return claims


def decode(text: str, *, issuer: str, keys: Keys, required: Sequence[str]) -> dict[str, Any]:
    """Check signature, issuer and times. Raises BadToken."""
    if len(text) > TOKEN_CHARS:
        raise BadToken("the token is too long")
    try:
        header = jwt.get_unverified_header(text)
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or "crit" in header or not isinstance(kid, str | None):
            raise BadToken("the token's header is not acceptable")
        key = keys.find(kid, algorithm)
        options: Any = {"require": ["iss", "iat", "exp", *required], "verify_aud": False}
        claims = jwt.decode(
            text, key.key, algorithms=[algorithm], issuer=issuer, leeway=LEEWAY_SECONDS, options=options
        )
    except (jwt.PyJWTError, ValueError, RecursionError, OverflowError) as error:
        raise BadToken(f"the token is not valid: {type(error).__name__}") from error
    if not 0 < int(claims["exp"]) - int(claims["iat"]) <= LIFE_SECONDS:
        raise BadToken("the token lives longer than a day")
    if not all(isinstance(claims.get(name, ""), str) for name in ("sub", "jti", "iss", "azp", "nonce")):
        raise BadToken("a claim has the wrong type")
    return claims
