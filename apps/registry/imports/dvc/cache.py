"""The registry room: bytes in a DVC cache or a remote that is a folder, found by their MD5 and checked against it."""

import hashlib
from collections.abc import Iterator
from functools import partial
from typing import Any

from apps.registry.imports import fit
from apps.registry.imports.contents import SourceFile
from apps.registry.imports.dvc.repository import Item
from apps.registry.imports.folder import Folder
from apps.tracking.files.paths import clean_artifact_path
from maestro.errors import Invalid, NotFound

LAYOUTS = ("files/md5/{}/{}", "{}/{}")  # of DVC 3, and before
MOST_ENTRIES = 1_000_000


class Cache:
    """Folders that may hold an item's bytes, in the order in which they are asked."""

    def __init__(self, folders: list[Folder]) -> None:
        self.folders = folders

    def files(self, item: Item) -> list[SourceFile]:
        """List what an item is made of. Raises NotFound where the cache has not all of it, Invalid for a bad manifest."""
        if not item.md5.endswith(".dir"):
            name = item.path.rpartition("/")[2]
            return [self.file(name, item.md5, item.size)]
        entries = fit.document(b"".join(self.file(item.path, item.md5, None).open()).decode(errors="replace"), item.md5)
        if not isinstance(entries, list) or len(entries) > MOST_ENTRIES:
            raise Invalid(f"the manifest {item.md5} is no list", "bad_manifest")
        return [self.entry(raw, item.md5) for raw in entries]

    def entry(self, raw: Any, manifest: str) -> SourceFile:
        """Find a file of a folder. Raises Invalid, NotFound."""
        if not isinstance(raw, dict) or not isinstance(raw.get("relpath"), str) or not isinstance(raw.get("md5"), str):
            raise Invalid(f"the manifest {manifest} holds what is no file", "bad_manifest")
        return self.file(clean_artifact_path(raw["relpath"]), raw["md5"], None)

    def file(self, path: str, md5: str, size: int | None) -> SourceFile:
        """Find bytes by their MD5. Raises NotFound."""
        for folder in self.folders:
            for layout in LAYOUTS:
                place = layout.format(md5[:2], md5[2:])
                if folder.has(place):
                    return SourceFile(path, size, partial(checked, folder, place, md5))
        raise NotFound(f"the cache has no {md5}")


def checked(folder: Folder, place: str, md5: str) -> Iterator[bytes]:
    """Read bytes. Raises Invalid at the end if they are not what their name says."""
    told = hashlib.md5(usedforsecurity=False)
    for piece in folder.stream(place):
        told.update(piece)
        yield piece
    if told.hexdigest() != md5.removesuffix(".dir"):
        raise Invalid(f"the cache holds other bytes under {md5}", "digest_mismatch")
