"""The access room: a new password for who forgot theirs, by mail: to whom, and what happens when it is set.

The page answers alike and does the same work for every address; whether somebody has it is found out by a worker.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.forms import PasswordResetForm
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.db import transaction
from django.utils import timezone

from apps.tenants.access.actions import Act
from apps.tenants.access.audit.recording import record
from apps.tenants.access.models import AuditEvent, RefreshToken
from apps.tenants.routing import this_tenant
from maestro.database.base import PUBLIC
from maestro.database.session import connection
from maestro.errors import TooMany
from maestro.http.throttling import limiter
from maestro.principals import Actor

MAILS_AN_HOUR = 3
TITLE = "A new password for {name}"


class Letters(PasswordResetForm):
    """Writes the letters: to active people with a password of ours, at the address that their row has."""

    def send_mail(
        self,
        subject_template_name: str,
        email_template_name: str,
        context: dict[str, Any],
        from_email: str | None,
        to_email: str,
        html_email_template_name: str | None = None,
    ) -> None:
        """Send one, unless this person had too many in the last hour; and write it down."""
        person: User = context["user"]
        try:
            limiter.take(f"{connection.schema_name}:reset:{person.pk}", MAILS_AN_HOUR, seconds=3600)
        except TooMany:
            return
        where = f"{context['protocol']}://{context['domain']}/password-reset/{context['uid']}/{context['token']}/"
        hours = settings.PASSWORD_RESET_TIMEOUT // 3600
        body = (
            f"Somebody, probably you, asked for a new password of {person.get_username()} in {this_tenant().name}.\n\n"
            f"Set it within {hours} h: {where}\n\nIf it was not you, do nothing: the old one goes on working.\n"
        )
        EmailMessage(TITLE.format(name=this_tenant().name), body, from_email, [to_email]).send()
        with transaction.atomic():
            AuditEvent.objects.record(
                Act.PERSON_RESET_MAIL, actor="anonymous", object_type="User", object_id=str(person.pk)
            )


def send_letters(email: str, *, domain: str, secure: bool) -> None:
    """Send a letter to everybody of the current tenant who has this address and a password of ours."""
    form = Letters({"email": email})
    if form.is_valid():
        form.save(domain_override=domain, use_https=secure, from_email=settings.DEFAULT_FROM_EMAIL)


def end_all(person: User) -> None:
    """End every token of a person: what an old password opened closes with it. Sessions end by themselves."""
    if connection.schema_name == PUBLIC:
        return
    RefreshToken.objects.filter(user=person, revoked_at=None).update(revoked_at=timezone.now())


@dataclass
class Setting:
    """A password that is being set: whose, once it was accepted."""

    person: User | None = None


@contextmanager
def setting(by: Actor, *, told: str = "") -> Iterator[Setting]:
    """Set a password in this block: what the old one opened ends, and it is written down, all together.

    The block says whose it is; nobody's if it was refused. Without `told` who sets it writes the event.
    """
    with transaction.atomic():
        done = Setting()
        yield done
        if done.person is not None:
            end_all(done.person)
            if told:
                record(by, Act.PERSON_NEW_PASSWORD, subject=done.person, after={"told": told})
