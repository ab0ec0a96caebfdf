"""The registry room: where the files of an MLflow store lie on this machine, if they do."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from urllib.parse import unquote, urlsplit

from apps.registry.imports.contents import SourceFile
from apps.registry.imports.folder import Folder
from maestro.errors import NotFound

# How many of an address's last parts name the folder, by whose it is: <experiment>/<run>/artifacts and the like.
TAILS = {"run": 3, "model": 4, "trace": 4}
LOCAL = ("", "file", "mlflow-artifacts")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")


def tail_of(kind: str, place: str) -> str:
    """Find the end of an address that lies in a folder of files. Raises NotFound for a bucket's or a server's."""
    parts = urlsplit(place) if SCHEME.match(place) else None
    scheme, path = (
        (parts.scheme, unquote(parts.path) if parts.scheme == "file" else parts.path) if parts else ("", place)
    )
    if scheme not in LOCAL:
        raise NotFound(f"its files are at {place[:200]}, which an import of a folder does not open")
    return "/".join([part for part in path.split("/") if part][-TAILS[kind] :])


def listed(folder: Folder, path: str) -> list[SourceFile]:
    """List the files below a path."""
    return [SourceFile(name, size, opened(folder, f"{path}/{name}")) for name, size in folder.files(path)]


def opened(folder: Folder, path: str) -> Callable[[], Iterator[bytes]]:
    """A way to a file's bytes."""
    return partial(folder.stream, path)
