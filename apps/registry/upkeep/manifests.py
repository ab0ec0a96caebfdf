"""The registry room: each version's manifest, which lies beside its blobs: what it is, of which files, and what is said of it.

A task writes those that are new or have changed, within a minute or so of the commit, and takes away those of versions
that are gone; what was written, and from which state, stands in a row each. `rebuilding` reads them back.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet

from apps.registry.models import ArtifactVersion, Edge, Manifest
from apps.registry.upkeep import records
from apps.tracking.files import blobs
from maestro import staging

FOLDER: Final = "manifests"
FORMAT: Final = 1
MOST: Final = 1_000

# All that a manifest says and that may change, as one short text a version: what is written compares by it.
STAMPS = """
SELECT v.id, md5(concat_ws('|', v.updated_ms, v.created_by, v.state, v.stage, a.updated_ms, a.name, a.owner, a.project_id, a.next_number,
 v.deleted_ms, nullif(v.deleted_by, ''), a.deleted_ms, nullif(a.deleted_by, ''),
 (SELECT string_agg(l.name, ',' ORDER BY l.name) FROM registry_alias l WHERE l.version_id = v.id),
 (SELECT string_agg(t.key || '=' || md5(t.value), ',' ORDER BY t.key) FROM registry_versiontag t WHERE t.version_id = v.id),
 (SELECT string_agg(t.key || '=' || md5(t.value), ',' ORDER BY t.key) FROM registry_artifacttag t
  WHERE t.artifact_id = a.id),
 (SELECT concat(count(*), '.', max(e.id)) FROM registry_edge e WHERE e.from_version_id = v.id OR e.to_version_id = v.id),
 (SELECT string_agg(s.id || s.created_by, ',' ORDER BY s.id) FROM registry_signature s WHERE s.version_id = v.id)
)) AS stamp
FROM registry_artifactversion v JOIN registry_artifact a ON a.id = v.artifact_id
"""
DUE = f"""
SELECT s.id, s.stamp FROM ({STAMPS}) s LEFT JOIN registry_manifest m ON m.version_id = s.id
WHERE m.stamp IS DISTINCT FROM s.stamp ORDER BY s.id LIMIT {MOST}
"""  # noqa: S608 constants of ours


def key_of(version: ArtifactVersion) -> str:
    """Name a manifest's place below the tenant's prefix."""
    return f"{FOLDER}/{version.artifact_id.hex}/{version.number}.json"


def due() -> list[tuple[Any, str]]:
    """Versions whose manifest is missing or tells of an earlier state, with the state as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        return cursor.fetchall()


def gone() -> QuerySet[Manifest]:
    """Manifests of versions that were deleted for ever. Records stay."""
    written = Manifest.objects.filter(key__startswith=f"{FOLDER}/")
    return written.exclude(version_id__in=ArtifactVersion.everything.values("pk")).order_by("key")


def is_due() -> bool:
    """Say whether any is to be written or taken away."""
    return bool(due() or records.due()) or gone().exists()


def write_due(now: datetime) -> int:
    """Write what is new or has changed and take away what is gone. Returns how many. Raises Unavailable, StorageFull."""
    stamps = dict(due())
    rows = (
        ArtifactVersion.everything.for_page()
        .filter(pk__in=stamps)
        .prefetch_related("files__blob", "artifact__tags", "signatures")
    )
    count = 0
    for version in rows.select_related("artifact__project", "logged_model", "run"):
        write(key_of(version), described(version))
        facts = {"version_id": version.pk, "stamp": stamps[version.pk], "written_at": now}
        Manifest.objects.update_or_create(key=key_of(version), defaults=facts)
        count += 1
    for row in list(gone()[:MOST]):
        staging.remove(blobs.place_of(row.key))
        row.delete()
        count += 1
    return count + records.write_due(now)


def write(key: str, document: dict[str, Any]) -> None:
    """Put a manifest in its place, in one step."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode()
    with staging.staged([text], expected_bytes=len(text)) as arrived:
        staging.publish(arrived.key, blobs.place_of(key))


def described(version: ArtifactVersion) -> dict[str, Any]:
    """Write down a version: what a manifest holds."""
    artifact = version.artifact
    names = ("name", "kind", "owner", "description", "card", "next_number", "created_ms", "updated_ms")
    trash = ("deleted_ms", "deleted_by")
    said = ("number", "digest", "state", "stage", "description", "source", "run_link", "run_hex", "download_uri")
    return {
        "format": FORMAT,
        "artifact": {
            "id": artifact.pk.hex,
            "project": artifact.project.slug if artifact.project else None,
            "tags": {tag.key: tag.value for tag in artifact.tags.all()},
            **{name: getattr(artifact, name) for name in (*names, *trash)},
        },
        "version": {
            "id": version.pk.hex,
            "logged_model": version.logged_model.model_id if version.logged_model else None,
            "tags": {tag.key: tag.value for tag in version.tags.all()},
            **{name: getattr(version, name) for name in (*said, "created_by", "created_ms", "updated_ms", *trash)},
        },
        "aliases": sorted(alias.name for alias in version.aliases.all()),
        "files": [
            {
                "path": file.path,
                "sha256": file.blob_id,
                "size_bytes": file.blob.size_bytes,
                "key": file.blob.storage_key,
            }
            for file in version.files.all()
        ],
        "signatures": records.signatures_of(version.signatures.all()),
        "edges": [edge_shown(edge) for edge in edges_into(version)],
    }


def edges_into(version: ArtifactVersion) -> Iterable[Edge]:
    """What a version was made from."""
    return version.edges_in.order_by("pk")


def edge_shown(edge: Edge) -> dict[str, Any]:
    """Write down where an edge comes from: its kind and the id at its other end."""
    ends = {"version": edge.from_version_id, "run": edge.from_run_id, "model": edge.from_model_id}
    start, identity = next((name, value) for name, value in ends.items() if value is not None)
    return {"kind": edge.kind, "from": start, "id": identity.hex}


def repair() -> int:
    """Forget what is no longer in the store, so that it is written again. Returns how many."""
    there = {found.key.split("/", 2)[2] for folder in (FOLDER, records.FOLDER) for found in staging.walk(folder)}
    lost = [key for key in Manifest.objects.values_list("key", flat=True) if key not in there]
    Manifest.objects.filter(key__in=lost).delete()
    return len(lost)


def read_all() -> Iterator[tuple[str, dict[str, Any]]]:
    """Read every manifest of the store."""
    for found in staging.walk(FOLDER):
        document = json.loads(b"".join(staging.read(found.key, 0, found.size_bytes)))
        if isinstance(document, dict) and document.get("format") == FORMAT:
            yield found.key.split("/", 2)[2], document
