"""What a tenant's tables hold, as one digest a table: two looks tell whether anything changed in between."""

from django.db import connection

# The log itself, answers kept to be repeated, sessions, Django's own admin log beside ours, and bytes: what names
# them is recorded, and bytes without a name are swept.
NOT_STATE = (
    "access_auditevent",
    "access_idempotentrequest",
    "django_session",
    "factors_session",
    "django_admin_log",
    "django_migrations",
    "tracking_blob",
)
# Noted on reading, too, and a run's sign of life.
NOT_CHANGES = ("last_used_at", "last_login", "last_write_ms")
TABLES = """SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind = 'r'
 AND relname <> ALL(%s) ORDER BY relname"""
DIGEST = """SELECT '{table}', md5(string_agg(line, E'\\n' ORDER BY line))
 FROM (SELECT (to_jsonb(t) - %(skipped)s::text[])::text AS line FROM "{table}" t) rows"""


def look() -> dict[str, str | None]:
    """Digest every table of the tenant where this connection stands."""
    with connection.cursor() as cursor:
        cursor.execute(TABLES, [list(NOT_STATE)])
        names = [name for (name,) in cursor.fetchall()]
        parts = [DIGEST.format(table=name) for name in names]
        cursor.execute(" UNION ALL ".join(parts), {"skipped": list(NOT_CHANGES)})
        return dict(cursor.fetchall())


def changed(before: dict[str, str | None], after: dict[str, str | None]) -> list[str]:
    """Name the tables that differ."""
    return sorted(name for name in before if before[name] != after[name])
