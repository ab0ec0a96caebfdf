"""The tracking room: how many bytes are kept and who names them: measured in one statement, on a schedule and when asked.

Other rooms' tables that name bytes are offered by them, by `offer` at start-up, as statements of (project, kind, content).

Units  bytes, each content once within whatever is summed; files are names
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.db.models import F, Q

from apps.tenants.routing import this_tenant
from apps.tracking.models import Blob, Project, StorageUse
from apps.tracking.notices.events import Happening, Told, tell

GRACE: Final = timedelta(hours=24)
STALE: Final = timedelta(seconds=60)
NEARLY_FULL: Final = 0.8
SHARED, UNNAMED, SWEEPABLE = "shared", "unnamed", "sweepable"
AGES: Final = ("week", "month", "quarter", "year", "older")
DAYS: Final = (7, 30, 90, 365)
LOCK: Final = "SELECT pg_try_advisory_xact_lock(hashtext('tracking_storageuse'))"

# What names bytes, by its kind.
SOURCES: dict[str, str] = {
    "runs": """SELECT e.project_id, 'run_files' AS kind, f.blob_id FROM tracking_runfile f
 JOIN tracking_run r ON r.id = f.run_id JOIN tracking_experiment e ON e.id = r.experiment_id""",
    "traces": """SELECT e.project_id, 'traces' AS kind, f.blob_id FROM tracking_tracefile f
 JOIN tracking_trace t ON t.id = f.trace_id JOIN tracking_experiment e ON e.id = t.experiment_id""",
    "exports": """SELECT NULL::uuid AS project_id, 'exports' AS kind, x.blob_id FROM tracking_export x
 WHERE x.blob_id IS NOT NULL""",
}

MEASURED = """
WITH each AS MATERIALIZED (
 SELECT n.project_id, n.kind, n.blob_id, count(*) AS files FROM ({names}) n GROUP BY 1, 2, 3),
sized AS MATERIALIZED (SELECT e.*, b.size_bytes FROM each e JOIN tracking_blob b ON b.sha256 = e.blob_id),
homes AS (SELECT project_id, blob_id, size_bytes, sum(files) AS files FROM sized GROUP BY 1, 2, 3),
kinds AS (SELECT kind, blob_id, size_bytes, sum(files) AS files FROM sized GROUP BY 1, 2, 3),
loose AS (SELECT b.size_bytes, b.created_at FROM tracking_blob b
 WHERE NOT EXISTS (SELECT FROM each e WHERE e.blob_id = b.sha256)),
aged AS (SELECT width_bucket(extract(epoch FROM %(now)s - b.created_at) / 86400, %(days)s::numeric[]) AS age,
 b.size_bytes FROM tracking_blob b)
SELECT 'project', project_id::text, sum(size_bytes)::bigint, sum(files)::bigint FROM homes GROUP BY 1, 2
UNION ALL SELECT 'kind', kind, sum(size_bytes)::bigint, sum(files)::bigint FROM kinds GROUP BY 1, 2
UNION ALL SELECT 'age', age::text, sum(size_bytes)::bigint, count(*) FROM aged GROUP BY 1, 2
UNION ALL SELECT 'loose', CASE WHEN created_at < %(before)s THEN 'sweepable' ELSE 'unnamed' END,
 sum(size_bytes)::bigint, count(*) FROM loose GROUP BY 1, 2
UNION ALL SELECT 'tenant', '', coalesce(sum(size_bytes), 0)::bigint, count(*) FROM tracking_blob
"""


@dataclass(frozen=True)
class Heap:
    """Some bytes, and how many names or contents they are."""

    bytes: int = 0
    files: int = 0

    def __add__(self, other: "Heap") -> "Heap":
        return Heap(self.bytes + other.bytes, self.files + other.files)


def offer(name: str, statement: str) -> None:
    """Say which table of another room names bytes: a SELECT of project_id, kind and blob_id."""
    SOURCES[name] = statement


def names() -> str:
    """Write all that names bytes as one statement."""
    return " UNION ALL ".join(SOURCES.values())


def of_project(project: Project) -> StorageUse | None:
    """What a project was last found to keep."""
    return StorageUse.objects.filter(project=project).first()


def is_due() -> bool:
    """Say whether the tenant keeps any bytes, or did when it was last measured."""
    return Blob.objects.exists() or StorageUse.objects.exclude(bytes=0).exists()


def measure(now: datetime) -> bool:
    """Count all that is kept. What is brought meanwhile is added to what was counted. False if somebody measures already."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK)
        if not cursor.fetchone()[0]:
            return False
        before = dict(StorageUse.objects.values_list("project_id", "bytes"))
        asked: dict[str, Any] = {"now": now, "before": now - GRACE, "days": list(DAYS)}
        cursor.execute(MEASURED.format(names=names()), asked)
        found: dict[str, dict[Any, Heap]] = {}
        for group, name, size, files in cursor.fetchall():
            found.setdefault(group, {})[name] = Heap(size, files)
        keep(found, before, now)
        warn(now)
    return True


def warn(now: datetime) -> None:
    """Tell once of each quota that is used to 80 % or more; again when it was less in between."""
    rows = StorageUse.objects.filter(Q(project=None) | Q(project__quota_bytes__isnull=False)).select_related("project")
    for row in rows:
        quota = row.project.quota_bytes if row.project else this_tenant().quota_bytes
        is_full = quota is not None and row.bytes >= NEARLY_FULL * quota
        if is_full == (row.warned_at is not None):
            continue
        StorageUse.objects.filter(pk=row.pk).update(warned_at=now if is_full else None)
        if is_full:
            percent = int(100 * row.bytes / quota) if quota else 100
            data = {"used_bytes": row.bytes, "quota_bytes": quota, "percent": percent}
            whose = {"of": "project" if row.project else "tenant"}
            tell(Told(Happening.STORAGE_NEARLY_FULL, row.project_id, data | whose), at=now)


def keep(found: dict[str, dict[Any, Heap]], before: dict[Any, int], now: datetime) -> None:
    """Write what was counted: a row a project, and the tenant's own with all that is not a project's."""
    projects = found.get("project", {})
    ages, loose = found.get("age", {}), found.get("loose", {})
    detail = {
        "kinds": {kind: vars(heap) for kind, heap in sorted(found.get("kind", {}).items())},
        "ages": {name: vars(ages.get(str(index), Heap())) for index, name in enumerate(AGES)},
        SHARED: vars(projects.pop(None, Heap())),
        UNNAMED: vars(loose.get(UNNAMED, Heap()) + loose.get(SWEEPABLE, Heap())),
        SWEEPABLE: vars(loose.get(SWEEPABLE, Heap())),
    }
    bounded = Project.objects.exclude(quota_bytes=None).values_list("pk", flat=True)
    empty = {str(key): Heap() for key in [*before, *bounded] if key is not None}
    rows = {None: found["tenant"][""]} | empty | projects
    known = {None if key is None else str(key): size for key, size in before.items()}
    for project, heap in rows.items():
        facts = {"files": heap.files, "measured_at": now, "detail": {} if project else detail}
        if project in known:
            since = F("bytes") - known[project]
            StorageUse.objects.filter(project_id=project).update(bytes=since + heap.bytes, **facts)
        else:
            StorageUse.objects.create(project_id=project, bytes=heap.bytes, **facts)
