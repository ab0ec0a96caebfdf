"""The tenants room: whether a folder holds a whole export of this release, before anything is made of it."""

import hashlib
from collections.abc import Callable

from apps.tenants import template
from apps.tenants.moving.package import LIST, Manifest, Package, entry_of
from maestro.errors import Invalid, NotFound

Tell = Callable[[str], None]
OTHER_RELEASE = "this export was written by another release of Maestro, whose tables differ: import it by that release, then upgrade"


def examine(package: Package, manifest: Manifest, tell: Tell, *, reads_bytes: bool) -> None:
    """Compare a folder with its manifest: tables by their digests, bytes by their sizes, or by their digests too.

    Raises NotFound, Invalid
    """
    if manifest.head != template.current_head():
        raise Invalid(OTHER_RELEASE, "other_release")
    for name, facts in manifest.tables.items():
        sha256, size = package.digest(package.table(name))
        if size != facts.bytes:
            raise Invalid(f"tables/{name}.jsonl has {size} of {facts.bytes} bytes", "cut_short")
        if sha256 != facts.sha256:
            raise Invalid(
                f"tables/{name}.jsonl is not what the manifest says: its sha256 is {sha256}", "digest_mismatch"
            )
        tell(f"tables/{name}.jsonl is as it was written")
    check_contents(package, manifest, tell, reads_bytes=reads_bytes)


def check_contents(package: Package, manifest: Manifest, tell: Tell, *, reads_bytes: bool) -> None:
    """Compare the bytes with their list, and the list with the manifest."""
    told, count, total = hashlib.sha256(), 0, 0
    for sha256 in package.contents():
        told.update(entry_of(sha256))
        count, total = count + 1, total + size_of(package, sha256)
        if reads_bytes:
            check_content(package, sha256)
        tell(f"{count:,} contents are here")
    if told.hexdigest() != manifest.blobs.sha256 or count != manifest.blobs.count:
        raise Invalid(f"{LIST} is not what the manifest says", "digest_mismatch")
    if total != manifest.blobs.bytes:
        raise Invalid(f"blobs has {total} of {manifest.blobs.bytes} bytes", "cut_short")


def size_of(package: Package, sha256: str) -> int:
    """Measure a content's file. Raises NotFound."""
    try:
        return package.blob(sha256).lstat().st_size
    except OSError as error:
        raise NotFound(f"blobs/{sha256[:2]}/{sha256} is not here: {error.strerror}") from error


def check_content(package: Package, sha256: str) -> None:
    """Read a content. Raises Invalid if it has another digest."""
    found, _ = package.digest(package.blob(sha256))
    if found != sha256:
        raise Invalid(f"blobs/{sha256[:2]}/{sha256} holds other bytes: their sha256 is {found}", "digest_mismatch")
