"""The form that asks for a file of runs: text that can't be kept is refused, and nothing is asked."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from apps.tenants.models import Tenant
from apps.tracking.models import Export


@pytest.mark.parametrize("path", ["runs/exports/", "runs/act/"])
@pytest.mark.parametrize("field", ["c", "sort", "q"])
def test_a_form_with_a_nul_is_refused(acme: Tenant, path: str, field: str) -> None:
    client = Client(headers={"host": "acme.localhost"})
    boss = User.objects.create_superuser("boss", password="x")
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    text = "attributes.run_name = 'a\x00b'" if field == "q" else "m.a\x00"
    answer = client.post(f"/admin/{path}", {field: text, "do": "trash", "which": "all"})
    assert answer.status_code in {302, 400}, answer.content
    assert not Export.objects.exists()
