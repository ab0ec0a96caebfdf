"""The tracking room: the only way from a client's text to a file's name. Pure.

Source  SECURITY requirement R9; the traversals that MLflow's artifact routes were attacked with
"""

import re
import unicodedata
from urllib.parse import unquote

from maestro import limits
from maestro.errors import Invalid

DRIVE = re.compile(r"[A-Za-z]:")
SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
FORBIDDEN = {"\\": "a backslash", "\ufffd": "a replacement character: it was not UTF-8"}
DECODINGS = 8  # a name that says something else after that many is not taken for a name


def clean_artifact_path(text: str) -> str:
    """Return a path that was already decoded once, unchanged, or raise Invalid saying what is wrong with it.

    `%`, `?` and `#` are letters by now. But whoever decodes once more, as some clients do, must stay in the same folder.
    """
    fault = fault_of(text)
    if fault:
        detail = f"the path holds {fault}" if not fault.startswith("is ") else f"the path {fault}"
        raise Invalid(detail, "bad_path", facts={"path_fault": detail})
    return text


def clean_directory(text: str) -> str:
    """Clean a folder's path; the empty text is the root, and one slash at the end is forgiven."""
    text = text.removesuffix("/")
    return clean_artifact_path(text) if text else ""


def fault_of(text: str) -> str:
    """Say what makes a text unfit to be a path, or nothing."""
    if not text:
        return "is empty"
    for char, fault in FORBIDDEN.items():
        if char in text:
            return fault
    if has_controls(text):
        return "control characters or lone surrogates"
    if len(text.encode()) > limits.PATH_BYTES:
        return f"more than {limits.PATH_BYTES} bytes"
    if is_rooted(text):
        return "a root, a home, a drive or a scheme"
    return fault_of_segments(text.split("/")) or fault_of_decoded(text)


def fault_of_decoded(text: str) -> str:
    """Say what a path would become if it were decoded again, or nothing if it stays below its folder.

    Clients give images names such as `loss%step%0%timestamp%1717%2f9c`, where anything may look like an escape.
    """
    read = text
    for _ in range(DECODINGS):
        again = unquote(read)
        if again == read:
            return ""
        read = again.replace("\\", "/")
        if is_rooted(read) or ".." in read.split("/"):
            return "an escape that would lead elsewhere: it is encoded more than once"
    return "escapes within escapes"


def is_rooted(text: str) -> bool:
    """Say whether a path begins at a root, a home, a drive or a scheme."""
    return text.startswith(("/", "~")) or DRIVE.match(text) is not None or SCHEME.match(text) is not None


def has_controls(text: str) -> bool:
    """Say whether a text holds control characters or lone surrogates."""
    return any(unicodedata.category(char) in ("Cc", "Cs") for char in text)


def fault_of_segments(segments: list[str]) -> str:
    """Say what is wrong with the names between the slashes, or nothing."""
    for segment in segments:
        if segment in ("", ".", ".."):
            return "an empty name, `.` or `..`"
        if len(segment.encode()) > limits.PATH_SEGMENT_BYTES:
            return f"a name of more than {limits.PATH_SEGMENT_BYTES} bytes"
    return ""
