"""The floor: where bytes live: a folder or a bucket through django-storages, one prefix for each tenant.

The prefix is the tenant's immutable id, never a name that a client chose.
"""

import uuid
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeGuard
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, Storage
from django.utils.module_loading import import_string

from maestro.database.session import connection
from maestro.errors import Unavailable

if TYPE_CHECKING:
    from storages.backends.s3 import S3Storage

PROBE = "_probe"
# As much as a full disk has no room for; two bytes would still fit beside the entry of their name.
PROBE_BYTES = bytes(64 * 1024)
# Imported only where it is used: boto3 costs every process a quarter of a second.
S3_STORAGE = "storages.backends.s3.S3Storage"


class StorageProblem(Unavailable):
    """The object store does not take bytes."""

    code = "storage_unavailable"


@lru_cache(maxsize=1)
def backend() -> Storage:
    """Open the storage that MAESTRO_STORAGE names. Raises ImproperlyConfigured for an unknown scheme."""
    url = urlsplit(settings.STORAGE_URL)
    if url.scheme == "file":
        Path(url.path).mkdir(parents=True, exist_ok=True)
        return FileSystemStorage(location=url.path, allow_overwrite=True)
    if url.scheme == "s3":
        return import_string(S3_STORAGE)(
            bucket_name=url.netloc,
            location=url.path.strip("/"),
            file_overwrite=True,
            querystring_expire=300,
            default_acl=None,
            addressing_style="path",
            signature_version="s3v4",
            **settings.S3,
        )
    raise ImproperlyConfigured(f"MAESTRO_STORAGE must begin with file:// or s3://, not {settings.STORAGE_URL!r}")


def is_bucket(store: Storage) -> TypeGuard["S3Storage"]:
    """Say which of the two kinds that `backend` makes this is."""
    return not isinstance(store, FileSystemStorage)


def tenant_prefix() -> str:
    """Name the current tenant's prefix. Raises Unavailable outside a tenant."""
    identity = getattr(connection.tenant, "id", None)
    if identity is None:
        raise Unavailable("bytes belong to a tenant, and none is chosen")
    return prefix_of(identity)


def prefix_of(identity: uuid.UUID) -> str:
    """Name the prefix of a tenant by its id."""
    return f"tenants/{identity}"


def probe() -> None:
    """Write some bytes. Raises StorageProblem."""
    try:
        store = backend()
        if store.exists(PROBE):
            store.delete(PROBE)
        store.save(PROBE, ContentFile(PROBE_BYTES))
    except Exception as error:
        raise StorageProblem(f"the object store does not take bytes: {type(error).__name__}") from error
