"""The access room: secrets that must be read again, encrypted in the tenant's rows.

The key is derived from the server's secret and the tenant's id: a dump of the database alone opens nothing.
"""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from apps.tenants.models import Tenant
from maestro.database.session import connection
from maestro.errors import Unavailable


def salt() -> bytes:
    """Tell tenants' boxes apart; the operators' schema has one of its own."""
    tenant = connection.tenant
    return tenant.id.bytes if isinstance(tenant, Tenant) else b"the operators' schema"


def box_of(secret: str) -> Fernet:
    """Make the tenant's box of one secret of the server."""
    kdf = HKDF(algorithm=hashes.SHA256(), length=32, salt=salt(), info=b"maestro sealed secret 1")
    return Fernet(base64.urlsafe_b64encode(kdf.derive(secret.encode())))


def box() -> MultiFernet:
    """Make the tenant's box, of today's secret and, while it is rotated, of yesterday's."""
    return MultiFernet([box_of(str(secret)) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)])


def reseal(sealed: bytes) -> bytes | None:
    """Seal a secret by today's secret of the server; None if it is already. Raises Unavailable if none opens it."""
    try:
        box_of(settings.SECRET_KEY).decrypt(sealed)
    except InvalidToken:
        return seal(unseal(sealed))
    return None


def seal(text: str) -> bytes:
    """Encrypt a secret."""
    return box().encrypt(text.encode())


def unseal(sealed: bytes) -> str:
    """Read a secret again. Raises Unavailable if the server's secret was changed since."""
    if not sealed:
        return ""
    try:
        return box().decrypt(bytes(sealed)).decode()
    except InvalidToken as error:
        raise Unavailable("a stored secret can't be read: MAESTRO_SECRET_KEY was changed; enter it again") from error
