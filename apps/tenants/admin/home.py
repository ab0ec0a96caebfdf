"""The tenants room's admin: the operators' home page: is it healthy."""

from datetime import datetime
from typing import Any

import django
import redis
from django.conf import settings
from django.db import connection
from django.http import HttpRequest
from django.urls import reverse

from apps.tenants import template
from apps.tenants.models import Domain, Job, Tenant
from maestro.admin.sites import Part, operator_site
from maestro.tasks import FORMER, QUEUES

SHOWN = 200
SIZES = """
SELECT n.nspname, coalesce(sum(pg_total_relation_size(c.oid)), 0)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = ANY(%s) AND c.relkind IN ('r', 'm') GROUP BY 1
"""
# Postgres keeps the time of the last scan of each table since version 16.
LAST_SEEN = """
SELECT schemaname, max(greatest(last_seq_scan, last_idx_scan)) FROM pg_stat_all_tables
WHERE schemaname = ANY(%s) GROUP BY 1
"""


def sizes_of(schemas: list[str]) -> dict[str, int]:
    """Bytes in the database, by schema."""
    with connection.cursor() as cursor:
        cursor.execute(SIZES, [schemas])
        return {schema: int(size) for schema, size in cursor.fetchall()}


def last_seen(schemas: list[str]) -> dict[str, datetime]:
    """When a table of each schema was last read; nothing from Postgres before 16."""
    if connection.cursor().connection.info.server_version < 160_000:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(LAST_SEEN, [schemas])
        return {schema: at for schema, at in cursor.fetchall() if at is not None}


def tenants_card(request: HttpRequest, _: None) -> dict[str, Any]:
    """Each tenant's state, host, size, last activity, and whether its schema is at the head."""
    tenants = list(Tenant.objects.order_by("slug")[:SHOWN])
    schemas = [tenant.schema_name for tenant in tenants]
    sizes, seen, head = sizes_of(schemas), last_seen(schemas), template.current_head()
    hosts = dict(Domain.objects.filter(is_primary=True, tenant__in=tenants).values_list("tenant_id", "domain"))
    rows = [
        {
            "tenant": tenant,
            "host": hosts.get(tenant.pk, ""),
            "size": sizes.get(tenant.schema_name, 0),
            "seen": seen.get(tenant.schema_name),
            "is_behind": tenant.schema_head != head,
        }
        for tenant in tenants
    ]
    return {"rows": rows, "more_url": reverse("admin:tenants_tenant_changelist"), "more_text": "All tenants"}


def jobs_card(request: HttpRequest, _: None) -> dict[str, Any]:
    """The newest jobs, those that failed first."""
    failed = list(Job.objects.filter(state=Job.State.FAILED).select_related("tenant")[:10])
    others = list(Job.objects.exclude(state=Job.State.FAILED).select_related("tenant")[:10])
    return {"jobs": [*failed, *others], "more_url": reverse("admin:tenants_job_changelist"), "more_text": "All jobs"}


def queue_card(request: HttpRequest, _: None) -> dict[str, Any]:
    """How many messages of each kind wait for a worker; nothing if the broker does not answer."""
    seconds = settings.PATIENCE["queue"]
    broker = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=seconds, socket_connect_timeout=seconds)
    try:
        lengths = {name: broker.llen(name) for name in QUEUES}
        return {"waiting": sum(lengths.values()), "queues": [(n, k) for n, k in lengths.items() if n != FORMER or k]}
    except redis.RedisError as problem:
        return {"waiting": None, "problem": type(problem).__name__}
    finally:
        broker.close()


def versions_card(request: HttpRequest, _: None) -> dict[str, Any]:
    """What runs here."""
    head = template.current_head()
    behind = Tenant.objects.exclude(schema_head=head).count()
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        postgres = cursor.fetchone()[0]
    return {
        "facts": [
            ("Postgres", postgres),
            ("Django", django.get_version()),
            ("Schema head", head[:12]),
            ("Tenants behind it", behind),
            ("Bytes are kept in", settings.STORAGE_URL.partition(":")[0]),
        ]
    }


FOLDER = "admin/tenants/card_{}.html"
operator_site.add_part(
    "home", Part("Tenants", FOLDER.format("tenants"), tenants_card, "work", 10, "tenants.view_tenant")
)
operator_site.add_part("home", Part("Jobs", FOLDER.format("jobs"), jobs_card, "work", 20, "tenants.view_job"))
operator_site.add_part("home", Part("Queue", FOLDER.format("queue"), queue_card, "state", 10, "tenants.view_job"))
operator_site.add_part("home", Part("Versions", FOLDER.format("versions"), versions_card, "state", 20))
