"""Keys, certificates and signatures, made as their users make them: by openssl's formats and the stock model_signing tool."""

import base64
import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

PrivateKey = ec.EllipticCurvePrivateKey
STATEMENT = "https://in-toto.io/Statement/v1"
DIGESTS: dict[str, hashes.HashAlgorithm] = {"secp256r1": hashes.SHA256(), "secp384r1": hashes.SHA384()}
PROVENANCE = "https://slsa.dev/provenance/v1"


def new_key() -> PrivateKey:
    """A key on P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def public_pem(key: Any) -> str:
    """The public half as PEM."""
    return str(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode())


def write_private(key: PrivateKey, path: Path) -> Path:
    """The private half as a PEM file."""
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def sign_folder(folder: Path, key: PrivateKey, *options: str) -> dict[str, Any]:
    """Sign a folder with the stock tool, and read the bundle."""
    private, bundle = write_private(key, folder.parent / "private.pem"), folder.parent / "model.sig"
    how = "certificate" if options else "key"
    tool = Path(sys.executable).with_name("model_signing")
    command = [tool, "sign", how, folder, "--private_key", private, "--signature", bundle, *options]
    subprocess.run([str(part) for part in command], check=True, capture_output=True, timeout=60)
    return dict(json.loads(bundle.read_text()))


def certificate(
    name: str,
    key: PrivateKey,
    issuer: tuple[str, PrivateKey] | None = None,
    *,
    is_authority: bool = False,
    days: int = 30,
) -> x509.Certificate:
    """A certificate, self-signed or by an issuer."""
    by_name, by_key = issuer or (name, key)
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, by_name)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by_key.public_key()), critical=False)
        .add_extension(usage(is_authority), critical=True)
    )
    return builder.sign(by_key, hashes.SHA256())


def usage(is_authority: bool) -> x509.KeyUsage:
    """What a certificate's key is for."""
    return x509.KeyUsage(
        digital_signature=not is_authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )


def pem_of(found: x509.Certificate) -> str:
    """A certificate as PEM."""
    return found.public_bytes(Encoding.PEM).decode()


def attest(digests: dict[str, str], key: Any, predicate: dict[str, Any] | None = None) -> dict[str, Any]:
    """Sign provenance about some digests, by name, in a bare envelope."""
    statement = {
        "_type": STATEMENT,
        "subject": [{"name": name, "digest": {"sha256": value}} for name, value in digests.items()],
        "predicateType": PROVENANCE,
        "predicate": predicate or {},
    }
    return envelope(json.dumps(statement).encode(), key)


def envelope(payload: bytes, key: Any, kind: str = "application/vnd.in-toto+json") -> dict[str, Any]:
    """Sign any payload."""
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    is_curve = isinstance(key, ec.EllipticCurvePrivateKey)
    made = key.sign(signed, ec.ECDSA(DIGESTS[key.curve.name])) if is_curve else key.sign(signed)
    row = {"keyid": "", "sig": base64.b64encode(made).decode()}
    return {"payloadType": kind, "payload": base64.b64encode(payload).decode(), "signatures": [row]}
