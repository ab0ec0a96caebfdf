"""The registry room: what is kept for ever, beside the bytes too: a record for each artifact, also of one that is gone.

A record holds an artifact's evidence, approvals, promotions and moves of aliases; one more holds the tenant's gates and the
keys that it trusts. They are written as manifests are, when something in them changes, and never taken away.
"""

import json
import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from django.core import serializers
from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection
from django.db.models import Model

from apps.registry.models import AliasMove, Approval, Evidence, Gate, Manifest, Promotion, Signature, SigningKey
from apps.tracking.files import blobs
from maestro import staging

FOLDER: Final = "records"
FORMAT: Final = 1
MOST: Final = 1_000
# The record of what is no artifact's.
RULES: Final = uuid.UUID(int=0)

# Rows only come, but for names that become pseudonyms and promotions that end.
DUE: Final = f"""
WITH parts AS (
 SELECT artifact_id AS id, concat('e', count(*), max(at), sum(hashtext(concat_ws('|', made_by, asked_by, moved_by)))) AS stamp
  FROM registry_evidence GROUP BY 1
 UNION ALL SELECT artifact_id, concat('a', count(*), max(at), sum(hashtext(concat_ws('|', given_by, answers_by))))
  FROM registry_approval GROUP BY 1
 UNION ALL SELECT artifact_id, concat('m', count(*), max(id), sum(hashtext(moved_by))) FROM registry_aliasmove GROUP BY 1
 UNION ALL SELECT artifact_id, concat('p', count(*), max(asked_at), max(ended_at),
  sum(hashtext(concat_ws('|', state, asked_by, ended_by)))) FROM registry_promotion GROUP BY 1
 UNION ALL SELECT '{RULES}', concat('g', md5(string_agg(g::text, '|' ORDER BY g.id))) FROM registry_gate g
 UNION ALL SELECT '{RULES}', concat('k', md5(string_agg(k::text, '|' ORDER BY k.id))) FROM registry_signingkey k),
stamps AS (SELECT id, md5(string_agg(stamp, ',' ORDER BY stamp)) AS stamp FROM parts GROUP BY 1)
SELECT s.id, s.stamp FROM stamps s LEFT JOIN registry_manifest m ON m.version_id = s.id
WHERE m.stamp IS DISTINCT FROM s.stamp ORDER BY s.id LIMIT {MOST}
"""  # noqa: S608 constants of ours


def due() -> list[tuple[uuid.UUID, str]]:
    """Records that are missing or tell of an earlier state, by artifact, with the state as it is now."""
    with connection.cursor() as cursor:
        cursor.execute(DUE)
        return cursor.fetchall()


def write_due(now: datetime) -> int:
    """Write what is new or has changed. Returns how many. Raises Unavailable, StorageFull."""
    found = due()
    for identity, stamp in found:
        key, document = f"{FOLDER}/{identity.hex}.json", described(identity)
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, indent=1).encode()
        with staging.staged([text], expected_bytes=len(text)) as arrived:
            staging.publish(arrived.key, blobs.place_of(key))
        facts = {"version_id": identity, "stamp": stamp, "written_at": now}
        Manifest.objects.update_or_create(key=key, defaults=facts)
    return len(found)


def described(identity: uuid.UUID) -> dict[str, Any]:
    """Write down a record: rows of each kind, in the order in which they came."""
    if identity == RULES:
        return {
            "format": FORMAT,
            "signing_keys": plain(SigningKey.objects.order_by("id")),
            "gates": [
                {**row, "project_slug": gate.project.slug if gate.project else None}
                for gate in Gate.objects.select_related("project").order_by("id")
                for row in plain([gate])
            ],
        }
    return {
        "format": FORMAT,
        "promotions": plain(Promotion.objects.filter(artifact_id=identity).order_by("id")),
        "approvals": plain(Approval.objects.filter(artifact_id=identity).order_by("id")),
        "evidence": plain(Evidence.objects.filter(artifact_id=identity).order_by("id")),
        "moves": plain(AliasMove.objects.filter(artifact_id=identity).order_by("id")),
    }


def signatures_of(rows: Iterable[Signature]) -> list[dict[str, Any]]:
    """Write down the signatures of a version, oldest first."""
    ordered: list[Signature] = sorted(rows, key=lambda row: (row.created_at, row.pk))
    return plain(ordered)


class InMilliseconds(DjangoJSONEncoder):
    """Writes a time as it is written again once it was read back: Django keeps the zeros of one, and not of the other."""

    def default(self, o: Any) -> Any:
        """Write what JSON has no form for."""
        text = super().default(o)
        return text.replace(".000Z", "Z") if isinstance(o, datetime) else text


def plain(rows: Iterable[Model]) -> list[dict[str, Any]]:
    """Write rows as JSON, each field under its name, the key under `id`."""
    written = serializers.serialize("json", rows, cls=InMilliseconds)
    return [{"id": one["pk"], **one["fields"]} for one in json.loads(written)]
