"""The access room: what is forgotten on a schedule."""

from celery import shared_task
from django.utils import timezone

from apps.tenants.access import idempotency
from apps.tenants.access.audit import pruning
from apps.tenants.access.keys import exchange
from apps.tenants.access.models import RefreshToken
from apps.tenants.access.people.sessions import forget_expired as forget_sessions
from apps.tenants.access.sign_in import resets
from maestro.database.session import connection
from maestro.tasks import fan_out, tenant_task


@tenant_task(name="apps.tenants.access.tasks.forget_expired", soft_time_limit=120)
def forget_expired() -> int:
    """Delete old answers, notes of used tokens, keys of jobs that ended, old refresh tokens and sessions that are over."""
    at = timezone.now()
    refresh = RefreshToken.objects.filter(expires_at__lt=at - idempotency.KEEP).delete()[0]
    refresh += forget_sessions(at)
    return idempotency.forget_old(at - idempotency.KEEP) + exchange.forget_used(at) + refresh


@shared_task(name="apps.tenants.access.tasks.forget_expired_everywhere")
def forget_expired_everywhere() -> int:
    """Send the task above to every active tenant; operators' own sessions are forgotten here."""
    connection.set_schema_to_public()
    forget_sessions(timezone.now())
    return fan_out(forget_expired, jitter_seconds=300)


@tenant_task(
    name="apps.tenants.access.tasks.send_reset_letters",
    soft_time_limit=60,
    acks_late=False,
    ignore_result=True,
)
def send_reset_letters(email: str, domain: str, secure: bool) -> None:
    """Send a link to set a new password to who has an address. Once: a lost letter is asked for again."""
    resets.send_letters(email, domain=domain, secure=secure)


@tenant_task(name="apps.tenants.access.tasks.prune_audit", soft_time_limit=300)
def prune_audit() -> int:
    """Delete audit events that the tenant's retention no longer keeps. The database writes down what went."""
    return pruning.prune()


@shared_task(name="apps.tenants.access.tasks.prune_audit_everywhere")
def prune_audit_everywhere() -> int:
    """Send the task above to every active tenant."""
    return fan_out(prune_audit, jitter_seconds=3600)
