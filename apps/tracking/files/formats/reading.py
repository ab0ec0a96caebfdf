"""The tracking room: which format a file has, by its name, and what its header tells. Nothing is opened that could run."""

from collections.abc import Callable
from functools import partial
from pathlib import PurePosixPath

from apps.tracking.files import blobs
from apps.tracking.files.formats.columns import arrow, parquet
from apps.tracking.files.formats.graphs import onnx
from apps.tracking.files.formats.tensors import gguf, safetensors
from apps.tracking.files.formats.told import Told
from apps.tracking.files.formats.window import Unreadable, Window
from apps.tracking.models import Blob

READERS: dict[str, Callable[[Window], Told]] = {
    ".safetensors": safetensors,
    ".gguf": gguf,
    ".parquet": parquet,
    ".arrow": arrow,
    ".feather": arrow,
    ".onnx": onnx,
}
# Loading one of these runs whatever its maker wrote into it.
EXECUTABLE = frozenset({".pkl", ".pickle", ".joblib", ".dill", ".pt", ".pth", ".ckpt", ".h5", ".keras", ".jar"})


def is_executable(path: str) -> bool:
    """Say whether loading such a file may run code: pickles, archives of pickles, and what may hold a program."""
    return PurePosixPath(path).suffix.lower() in EXECUTABLE


def told_of(path: str, blob: Blob) -> Told:
    """Read the header of a file whose kind has a reader. Raises Unreadable, NotFound, Unavailable."""
    reader = READERS[PurePosixPath(path).suffix.lower()]
    try:
        return reader(Window(partial(blobs.read, blob), blob.size_bytes))
    except (OverflowError, ValueError) as error:
        raise Unreadable("the header can't be read") from error
