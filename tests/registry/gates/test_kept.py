"""What is kept for ever can't be changed or deleted, even by its own tenant; a name may become a pseudonym."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError, transaction
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from apps.registry.models import AliasMove, Approval, Evidence
from apps.tenants.access import erasing
from apps.tenants.models import Tenant
from maestro.principals import Actor
from tests.factories.gates import ask, path_of, say, two_versions
from tests.factories.two_projects import person_in, speaking_as


@pytest.fixture
def kept(acme: Tenant, api: Callable[..., Client]) -> None:
    """A promotion that ada asked for and eve approved."""
    ada = speaking_as(acme, person_in({}, "contributor", name="ada"))
    two_versions(ada)
    eve = speaking_as(acme, person_in({}, "approver", name="eve"))
    assert say(eve, path_of(ask(ada, alias="serving"))).json()["state"] == "done"


@pytest.mark.parametrize("model", [AliasMove, Approval, Evidence])
def test_nothing_of_it_is_changed_or_deleted(kept: None, model: type[Model]) -> None:
    rows = model._default_manager.all()
    assert rows.count() == 1
    names: dict[type[Model], str] = {AliasMove: "moved_by", Approval: "given_by", Evidence: "asked_by"}
    for change in ({"why": "other"}, {"at": timezone.now()}, {names[model]: "person:somebody-else"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            rows.update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        rows.delete()
    assert rows.count() == 1


def test_erasing_a_person_leaves_a_pseudonym(kept: None) -> None:
    assert User.objects.filter(username="eve", groups=Group.objects.get(name="approver")).exists()
    for name in ("ada", "eve"):
        erasing.erase(User.objects.get(username=name), Actor("operator:x"), timezone.now())
    evidence, approval = Evidence.objects.get(), Approval.objects.get()
    told = [evidence.made_by, evidence.asked_by, evidence.moved_by, approval.given_by, approval.answers_by]
    assert all(name.startswith("person:erased-") for name in told), told
    assert evidence.made_by == evidence.asked_by != evidence.moved_by == approval.given_by
