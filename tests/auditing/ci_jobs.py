"""A CI job that is trusted, and lets itself in."""

import uuid
from datetime import timedelta
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from django.test import Client
from django.utils import timezone
from jwt.algorithms import ECAlgorithm

from tests.factories.stage import V1, Call, Stage


def nobody(stage: Stage) -> Client:
    return Client(headers={"host": f"{stage.tenant.slug}.localhost"})


def publisher_fields(stage: Stage, signer: Any) -> dict[str, Any]:
    """A publisher whose keys are stored with it, so that nothing is fetched."""
    rows = [ECAlgorithm.to_jwk(signer.public_key(), as_dict=True) | {"kid": "one", "use": "sig", "alg": "ES256"}]
    claims = {"repository_id": "4711", "repository_owner_id": "12", "ref": "refs/heads/main"}
    return {
        "name": stage.name("publisher"),
        "kind": "github",
        "issuer": f"https://{stage.name('issuer')}.example",
        "jwks": {"keys": rows},
        "claims": claims,
        "project": stage.project(),
    }


def publisher(stage: Stage, signer: Any = None) -> dict[str, Any]:
    fields = publisher_fields(stage, signer or ec.generate_private_key(ec.SECP256R1()))
    made: dict[str, Any] = stage.ask("POST", f"{V1}publishers/", fields).json()
    return made


def exchange(stage: Stage) -> Call:
    signer = ec.generate_private_key(ec.SECP256R1())
    made, now = publisher(stage, signer), timezone.now()
    claims = {
        "iss": made["issuer"],
        "aud": made["audience"],
        "sub": "repo:acme/churn:ref:refs/heads/main",
        "repository": "acme/churn",
        "repository_id": "4711",
        "repository_owner_id": "12",
        "ref": "refs/heads/main",
        "event_name": "push",
        "iat": now,
        "exp": now + timedelta(minutes=5),
        "jti": uuid.uuid4().hex,
    }
    token = jwt.encode(claims, signer, algorithm="ES256", headers={"kid": "one"})
    return Call("POST", f"{V1}auth/exchange/", {"token": token}, client=nobody(stage))
