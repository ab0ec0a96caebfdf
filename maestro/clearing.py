"""The floor: a tenant's bytes, all of them: how many there are, and their end. Only operators' commands come here."""

import shutil
from dataclasses import dataclass

from maestro import storage
from maestro.staging import folder_path, located, translated
from maestro.storage import is_bucket


@dataclass(frozen=True)
class Heap:
    """What lies below a tenant's prefix."""

    objects: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Heap") -> "Heap":
        return Heap(self.objects + other.objects, self.size_bytes + other.size_bytes)


def weigh(prefix: str) -> Heap:
    """Count the objects below a prefix, and their bytes. Raises StorageProblem."""
    store = storage.backend()
    with translated():
        if is_bucket(store):
            sizes = [found.size for found in store.bucket.objects.filter(Prefix=f"{located(store, prefix)}/")]
        else:
            sizes = [path.stat().st_size for path in folder_path(store, prefix).rglob("*") if path.is_file()]
    return Heap(len(sizes), sum(sizes))


def clear(prefix: str) -> Heap:
    """Delete every object below a prefix, unfinished uploads too, and say what there was. Raises StorageProblem."""
    if not prefix.startswith("tenants/") or prefix.count("/") != 1 or len(prefix) < 30:
        raise ValueError(f"{prefix!r} is no tenant's prefix")
    store, found = storage.backend(), weigh(prefix)
    with translated():
        if is_bucket(store):
            below = f"{located(store, prefix)}/"
            store.bucket.objects.filter(Prefix=below).delete()
            for upload in store.bucket.multipart_uploads.filter(Prefix=below):
                upload.abort()
        else:
            shutil.rmtree(folder_path(store, prefix), ignore_errors=True)
    return found
