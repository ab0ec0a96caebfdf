"""The registry room: signed envelopes (DSSE 1.0), alone or inside a Sigstore bundle: read, and held against keys.

Source: github.com/secure-systems-lab/dsse protocol.md; Sigstore bundle v0.1 to v0.3. Signatures are checked by
`cryptography`; nothing here reads what was signed.
"""

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from maestro.errors import Invalid

IN_TOTO = "application/vnd.in-toto+json"
SIGNATURES_MAX, CHAIN_MAX = 16, 8
RSA_BITS, RSA_BITS_MAX, EXPONENT_MAX = 2048, 8192, 2**32  # beyond these a check costs what a private key does
CURVES: dict[str, hashes.HashAlgorithm] = {
    "secp256r1": hashes.SHA256(),
    "secp384r1": hashes.SHA384(),
    "secp521r1": hashes.SHA512(),
}

UNREADABLE = (
    ValueError,
    UnsupportedAlgorithm,
    x509.InvalidVersion,
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey


@dataclass(frozen=True)
class Envelope:
    """What was signed, its signatures, and the signer's certificates, leaf first, as far as they came along."""

    payload_type: str
    payload: bytes
    signatures: tuple[bytes, ...]
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def signed(self) -> bytes:
        """The bytes that the signatures are over: DSSE's pre-authentication encoding."""
        kind = self.payload_type.encode()
        return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(self.payload), self.payload)


def bad(detail: str) -> Invalid:
    """Say what is wrong with an envelope or a key."""
    return Invalid(detail, "bad_signature")


def decoded(text: Any, what: str) -> bytes:
    """Read base64. Raises Invalid."""
    try:
        return base64.b64decode(text, validate=True) if isinstance(text, str) else base64.b64decode(b"!", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad(f"{what} is not base64") from error


def read(document: Any) -> Envelope:
    """Read an envelope, or the bundle that holds one. Raises Invalid."""
    inner = document.get("dsseEnvelope", document) if isinstance(document, dict) else None
    if not isinstance(inner, dict) or not {"payload", "payloadType", "signatures"} <= inner.keys():
        raise bad("send a DSSE envelope {payload, payloadType, signatures}, or a Sigstore bundle with a dsseEnvelope")
    rows = inner["signatures"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= SIGNATURES_MAX:
        raise bad(f"an envelope has 1 to {SIGNATURES_MAX} signatures")
    if inner["payloadType"] != IN_TOTO:
        raise bad(f"the payload type must be {IN_TOTO}")
    signatures = tuple(decoded(row.get("sig") if isinstance(row, dict) else None, "a signature") for row in rows)
    return Envelope(IN_TOTO, decoded(inner["payload"], "the payload"), signatures, chain_of(document))


def chain_of(document: dict[str, Any]) -> tuple[x509.Certificate, ...]:
    """Read the certificates of a bundle. Raises Invalid."""
    material = document.get("verificationMaterial")
    if not isinstance(material, dict):
        return ()
    listed = material.get("x509CertificateChain")
    rows = listed.get("certificates") if isinstance(listed, dict) else [material.get("certificate")]
    if not isinstance(rows, list) or len(rows) > CHAIN_MAX:
        raise bad(f"a chain has at most {CHAIN_MAX} certificates")
    raw = [decoded(row.get("rawBytes"), "a certificate") for row in rows if isinstance(row, dict)]
    return tuple(certificate_of(data) for data in raw)


def certificate_of(data: bytes) -> x509.Certificate:
    """Read a certificate, all that is asked of it later too: some faults show only then. Raises Invalid."""
    try:
        found = x509.load_der_x509_certificate(data)
        usable(found.public_key())
        _ = (found.subject.rfc4514_string(), found.issuer, found.not_valid_before_utc, found.not_valid_after_utc)
        _ = (found.extensions, found.signature_hash_algorithm)
    except UNREADABLE as error:
        raise bad("a certificate can't be read") from error
    return found


def load_key(pem: str) -> PublicKey:
    """Read a public key. Raises Invalid for what is none, is private, or is of a kind that is not used here."""
    try:
        return usable(load_pem_public_key(pem.encode()))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise bad("this is not a public key in PEM form (-----BEGIN PUBLIC KEY-----)") from error


def usable(key: Any) -> PublicKey:
    """Take a key of the kinds that are used here. Raises Invalid."""
    is_curve = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in CURVES
    is_rsa = isinstance(key, rsa.RSAPublicKey) and RSA_BITS <= key.key_size <= RSA_BITS_MAX
    is_rsa = is_rsa and key.public_numbers().e < EXPONENT_MAX
    if is_curve or is_rsa or isinstance(key, ed25519.Ed25519PublicKey):
        return key  # type: ignore[no-any-return]
    raise bad("keys may be ECDSA on P-256, P-384 or P-521, Ed25519, or RSA of 2,048 to 8,192 bits")


def load_authority(pem: str) -> x509.Certificate:
    """Read the certificate of an authority. Raises Invalid."""
    try:
        found = certificate_of(x509.load_pem_x509_certificate(pem.encode()).public_bytes(Encoding.DER))
        is_authority = found.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except UNREADABLE as error:
        raise bad("this is not an authority's certificate in PEM form (-----BEGIN CERTIFICATE-----)") from error
    if not is_authority:
        raise bad("this certificate may not sign others: it is not an authority's")
    return found


def is_by(envelope: Envelope, key: PublicKey) -> bool:
    """Say whether one of an envelope's signatures was made with a key."""
    return any(verifies(key, signature, envelope.signed) for signature in envelope.signatures)


def verifies(key: PublicKey, signature: bytes, data: bytes) -> bool:
    """Check one signature: ECDSA with the digest of its curve, Ed25519, RSA-PSS or PKCS#1 1.5 with SHA-256."""
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, data, ec.ECDSA(CURVES[key.curve.name]))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, data)
        else:
            return verifies_rsa(key, signature, data)
    except InvalidSignature:
        return False
    return True


def verifies_rsa(key: rsa.RSAPublicKey, signature: bytes, data: bytes) -> bool:
    """Check an RSA signature in either of its two forms."""
    forms = (padding.PSS(padding.MGF1(hashes.SHA256()), padding.PSS.AUTO), padding.PKCS1v15())
    for form in forms:
        try:
            key.verify(signature, data, form, hashes.SHA256())
        except InvalidSignature:
            continue
        return True
    return False


def signer_under(envelope: Envelope, authorities: Iterable[x509.Certificate]) -> tuple[x509.Certificate, str] | None:
    """Find the authority that a signer's chain leads to, and the signer's subject; None if it leads to none of them.

    As the stock tool does, the chain is judged at the time when the signer's certificate began: a signature outlives it.
    """
    if not envelope.chain:
        return None
    leaf = envelope.chain[0]
    if not may_sign(leaf) or not is_by(envelope, usable(leaf.public_key())):
        return None
    if not holds_together(envelope.chain):
        return None
    for authority in authorities:
        if leads_to(envelope.chain, authority):
            return authority, leaf.subject.rfc4514_string()[:500]
    return None


def may_sign(leaf: x509.Certificate) -> bool:
    """Say whether a certificate is for signing data."""
    try:
        return leaf.extensions.get_extension_for_class(x509.KeyUsage).value.digital_signature
    except UNREADABLE:
        return False


def holds_together(chain: tuple[x509.Certificate, ...]) -> bool:
    """Say whether in a chain, leaf first, each one was issued by the next."""
    at = chain[0].not_valid_before_utc
    return all(is_issued(below, above, depth, at) for depth, (below, above) in enumerate(pairwise(chain)))


def leads_to(chain: tuple[x509.Certificate, ...], authority: x509.Certificate) -> bool:
    """Say whether a chain that holds together ends at an authority, or below it."""
    if chain[-1] == authority:
        return len(chain) > 1
    return is_issued(chain[-1], authority, len(chain) - 1, chain[0].not_valid_before_utc)


def is_issued(below: x509.Certificate, above: x509.Certificate, depth: int, at: datetime) -> bool:
    """Say whether one certificate was issued by another, in force at that time, that may have so many authorities below it."""
    if not above.not_valid_before_utc <= at <= above.not_valid_after_utc or not may_issue(above, depth):
        return False
    try:
        below.verify_directly_issued_by(above)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def may_issue(above: x509.Certificate, depth: int) -> bool:
    """Say whether a certificate may issue others, with so many authorities below it."""
    try:
        bounds = above.extensions.get_extension_for_class(x509.BasicConstraints).value
    except UNREADABLE:
        return False
    return bounds.ca and (bounds.path_length is None or bounds.path_length >= depth)
