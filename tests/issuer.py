"""A local issuer of identity tokens: real keys, real signatures, a real HTTP server. Its faults are switched on by hand."""

import json
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

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
                },
                "/keys": issuer.jwks(),
            }
            body = json.dumps(pages.get(self.path, {})).encode()
            self.send_response(503 if issuer.broken else 200 if self.path in pages else 404)
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
