"""What tests of a rotation share: a person with a second factor, and the server's secrets as they are being rotated."""

import base64
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from typing import Any

from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import override_settings
from django.utils import timezone
from django_otp.oath import hotp

from apps.tenants.access.factors.models import Authenticator
from apps.tenants.access.keys.authentication import forget_keys
from apps.tenants.access.sign_in import second_factor

BACKEND, WHOAMI = "apps.tenants.access.sign_in.passwords.PasswordBackend", "/api/v1/auth/whoami/"
NEXT_SECRET, NEXT_PEPPER = "zK4wQ8rT1yU6iO3pA9sD2fG7hJ5kL0xC", "mN8bV3cX6zL1kJ4hG7fD2sA9pO5iU0yT"
PASSWORD = "a long and silly password"


def ada() -> User:
    made = User.objects.create_user("ada", password=PASSWORD, is_staff=True)
    made.groups.add(Group.objects.get(name="admin"))
    return made


def with_app(who: User) -> tuple[str, list[str]]:
    """Give a person an authenticator app; returns its secret and the recovery codes."""
    secret = second_factor.begin(who)
    codes = second_factor.confirm(who, code_of(secret), timezone.now())
    assert codes is not None
    Authenticator.objects.filter(user=who).update(last_step=0)
    return secret, codes


def code_of(secret: str) -> str:
    return f"{hotp(base64.b32decode(secret), int(time.time()) // 30):06d}"


@contextmanager
def rotated(settings: Any, *, keeping: bool = True) -> Iterator[None]:
    """Stand after the rotation, with or without knowing what was before."""
    changed: dict[str, Any] = {"SECRET_KEY": NEXT_SECRET, "KEY_PEPPER": NEXT_PEPPER}
    for name in list(changed):
        changed[f"{name}_FALLBACKS"] = [getattr(settings, name)] if keeping else []
    with override_settings(**changed):
        forget_keys()
        yield
    forget_keys()


def reseal(**options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("reseal_secrets", output="json", stdout=out, stderr=StringIO(), **options)
    answer: dict[str, Any] = json.loads(out.getvalue())
    return answer
