"""The registry room: what was signed: in-toto statements (v1, v0.1), and whether they speak of a version's files.

Source: in-toto attestation framework v1; OpenSSF model signing v1.0 (predicate `https://model_signing/signature/v1.0`);
SLSA provenance v1 and v0.2.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from apps.registry.signatures.envelopes import bad
from maestro.api import json
from maestro.errors import Conflict, Invalid

TYPES = ("https://in-toto.io/Statement/v1", "https://in-toto.io/Statement/v0.1")
MODEL_SIGNING = "https://model_signing/signature/v1.0"
# What the stock tool leaves out of a folder by itself, and the name that it gives its own file.
LEFT_OUT = (".git", ".gitattributes", ".github", ".gitignore", "model.sig")
INPUTS_MAX, FACT_CHARS = 100, 500


@dataclass(frozen=True)
class Statement:
    """A statement: what it is about (digests by name), what kind of thing it says, and that."""

    subjects: list[tuple[str, str]]
    predicate_type: str
    predicate: Mapping[str, Any]

    @property
    def is_model_signature(self) -> bool:
        """Say whether it was made by signing a folder of files."""
        return self.predicate_type == MODEL_SIGNING


def read(payload: bytes) -> Statement:
    """Read a statement: as strictly as a body, which it is not checked with. Raises Invalid, TooLarge."""
    try:
        found = json.loads(payload)
    except Invalid as error:
        raise bad(f"the payload is not JSON that is taken here: {error.detail}") from error
    if not isinstance(found, dict) or found.get("_type") not in TYPES:
        raise bad("the payload is not an in-toto statement")
    kind, predicate, listed = found.get("predicateType"), found.get("predicate"), found.get("subject")
    if not isinstance(kind, str) or not 0 < len(kind) <= 500 or not isinstance(predicate, dict):
        raise bad("a statement has a predicateType and a predicate")
    if not isinstance(listed, list) or not listed:
        raise bad("a statement has at least one subject")
    return Statement([named_digest(row) for row in listed], kind, predicate)


def named_digest(row: Any) -> tuple[str, str]:
    """Read a resource's name and sha256, which may be missing."""
    digest = row.get("digest") if isinstance(row, dict) else None
    value = digest.get("sha256") if isinstance(digest, dict) else None
    name = row.get("name") if isinstance(row, dict) else None
    return str(name or ""), value.lower() if isinstance(value, str) else ""


def require_about(statement: Statement, digest: str, files: Mapping[str, str]) -> None:
    """Check that a statement is about a version: its digest, and its files (path to sha256).

    Raises Conflict naming the first file that differs.
    """
    if statement.is_model_signature:
        require_files(resources_of(statement), files)
    elif digest not in {value for _, value in statement.subjects if value}:
        require_each(statement, files)


def require_each(statement: Statement, files: Mapping[str, str]) -> None:
    """Check that every file of a version is a subject. Raises Conflict."""
    told = {value for _, value in statement.subjects if value}
    missing = next((path for path, sha256 in sorted(files.items()) if sha256 not in told), None)
    if missing is not None or not files:
        raise Conflict(
            f"no subject of the statement is this version's digest, and its file {(missing or '')[:200]!r} is none either",
            "signature_mismatch",
        )


def resources_of(statement: Statement) -> dict[str, str]:
    """Read the files of a model signature, path to sha256. Raises Invalid, also if its root digest is not theirs."""
    listed, how = statement.predicate.get("resources"), statement.predicate.get("serialization")
    if not isinstance(listed, list) or not isinstance(how, dict) or how.get("method") != "files":
        raise bad("only model signatures over whole files are read (serialization method `files`)")
    found, root = {}, hashlib.sha256()
    for row in listed:
        name, value = (row.get("name"), row.get("digest")) if isinstance(row, dict) else (None, None)
        if not isinstance(name, str) or not is_sha256(value) or row.get("algorithm") != "sha256" or name in found:
            raise bad("each resource has a name of its own and a sha256 digest")
        found[name] = str(value).lower()
        root.update(bytes.fromhex(str(value)))
    if [value for _, value in statement.subjects] != [root.hexdigest()]:
        raise bad("the subject's digest is not that of the resources")
    return found


def is_sha256(value: Any) -> bool:
    """Say whether something is 64 hex digits."""
    return isinstance(value, str) and len(value) == 64 and all(letter in "0123456789abcdefABCDEF" for letter in value)


def require_files(signed: Mapping[str, str], files: Mapping[str, str]) -> None:
    """Check that signed files and a version's files are the same. Raises Conflict."""
    for path in sorted(signed.keys() | files.keys()):
        if signed.get(path) == files.get(path) or (path not in signed and is_left_out(path)):
            continue
        what = "is signed but not in the version" if path not in files else "is not signed"
        both = path in files and path in signed
        detail = f"the file {path[:200]!r} {'has other bytes than were signed' if both else what}"
        raise Conflict(detail, "signature_mismatch")


def is_left_out(path: str) -> bool:
    """Say whether the stock tool leaves a file out by itself."""
    return path.partition("/")[0] in LEFT_OUT


def told(statement: Statement) -> dict[str, Any]:
    """Read the run, the commit and the inputs that provenance tells of, as far as it does."""
    predicate = statement.predicate
    build, details = mapped(predicate.get("buildDefinition")), mapped(predicate.get("runDetails"))
    listed = build.get("resolvedDependencies", predicate.get("materials"))
    inputs = [input_of(row) for row in (listed if isinstance(listed, list) else [])[:INPUTS_MAX]]
    run = mapped(details.get("metadata")).get(
        "invocationId", mapped(predicate.get("metadata")).get("buildInvocationId")
    )
    commit = next((row["commit"] for row in inputs if row.get("commit")), None)
    facts: dict[str, Any] = {"run": run, "commit": commit, "inputs": [row for row in inputs if row]}
    texts = {name: value[:FACT_CHARS] for name, value in facts.items() if isinstance(value, str) and value}
    return texts | ({"inputs": facts["inputs"]} if facts["inputs"] else {})


def mapped(value: Any) -> Mapping[str, Any]:
    """Take an object, or an empty one."""
    return value if isinstance(value, dict) else {}


def input_of(row: Any) -> dict[str, str]:
    """Read one input: where it is and what it is."""
    digest = mapped(mapped(row).get("digest"))
    facts = {
        "uri": mapped(row).get("uri", mapped(row).get("name")),
        "sha256": digest.get("sha256"),
        "commit": digest.get("gitCommit", digest.get("sha1")),
    }
    return {name: value[:FACT_CHARS] for name, value in facts.items() if isinstance(value, str) and value}
