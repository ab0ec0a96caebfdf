"""A local issuer of identity tokens: real keys, real signatures, a real HTTP server. Its faults are switched on by hand."""

import base64
import hashlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm


@dataclass
class Issuer:
    """Signs tokens and serves its keys."""

    url: str = ""
    hits: list[str] = field(default_factory=list)
    keys: dict[str, Any] = field(default_factory=dict)
    current: str = ""
    says_issuer: str = ""
    broken: bool = False
    grants: dict[str, dict[str, Any]] = field(default_factory=dict)
    userinfo: dict[str, Any] | None = None
    posts: list[dict[str, str]] = field(default_factory=list)

    def turn_key(self, kid: str = "", *, bits: int = 2048, keep: bool = True, curve: bool = False) -> str:
        """Make a new key and sign with it from now on."""
        kid = kid or uuid.uuid4().hex[:8]
        if not keep:
            self.keys.clear()
        self.keys[kid] = ec.generate_private_key(ec.SECP256R1()) if curve else rsa_key(bits)
        self.current = kid
        return kid

    def jwks(self) -> dict[str, Any]:
        """Write the public keys."""
        rows = []
        for kid, key in self.keys.items():
            writer = ECAlgorithm if isinstance(key, ec.EllipticCurvePrivateKey) else RSAAlgorithm
            row = json.loads(writer.to_jwk(key.public_key()))
            rows.append(row | {"kid": kid, "use": "sig"})
        return {"keys": rows}

    def token(self, *, kid: str | None = None, algorithm: str = "", key: Any = None, **claims: Any) -> str:
        """Sign claims; a claim of None is left out. Times are seconds from now."""
        now = int(time.time())
        body: dict[str, Any] = {"iss": self.url, "iat": now, "exp": now + 300, "jti": uuid.uuid4().hex} | claims
        body = {name: value for name, value in body.items() if value is not None}
        signer = key if key is not None else self.keys[self.current]
        curve = isinstance(signer, ec.EllipticCurvePrivateKey)
        header = {"kid": kid if kid is not None else self.current}
        return jwt.encode(body, signer, algorithm=algorithm or ("ES256" if curve else "RS256"), headers=header)


def rsa_key(bits: int) -> Any:
    """Make an RSA key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


@contextmanager
def running_issuer() -> Iterator[Issuer]:
    """Serve an issuer on a free port of this machine."""
    issuer = Issuer()

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.hits.append(self.path)
            pages = {
                "/.well-known/openid-configuration": {
                    "issuer": issuer.says_issuer or issuer.url,
                    "jwks_uri": f"{issuer.url}/keys",
                    "authorization_endpoint": f"{issuer.url}/authorize",
                    "token_endpoint": f"{issuer.url}/token",
                    "end_session_endpoint": f"{issuer.url}/end",
                }
                | ({"userinfo_endpoint": f"{issuer.url}/userinfo"} if issuer.userinfo is not None else {}),
                "/keys": issuer.jwks(),
                "/userinfo": issuer.userinfo or {},
            }
            self.answer(503 if issuer.broken else 200 if self.path in pages else 404, pages.get(self.path, {}))

        def do_POST(self) -> None:
            """Trade a code for what was prepared; each code once, and only with the verifier of its challenge."""
            form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
            form["authorization"] = self.headers.get("Authorization", "")
            issuer.posts.append(form)
            grant = issuer.grants.pop(form.get("code", ""), None)
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
            if grant is None or grant["challenge"] != challenge:
                self.answer(400, {"error": "invalid_grant"})
            else:
                self.answer(200, {"access_token": "access", "token_type": "Bearer", "id_token": grant["id_token"]})

        def answer(self, status: int, document: dict[str, Any]) -> None:
            """Answer JSON."""
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    issuer.url = f"http://127.0.0.1:{server.server_address[1]}"
    issuer.turn_key()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
