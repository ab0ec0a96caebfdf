"""Every admin page that changes something leaves its event too: forms, deletions, actions and pages of their own.

What may be changed is asked of the sites themselves, so that a model or a page which is added fails until it is here.
"""

from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib.auth.models import Group, User
from django.db import DatabaseError
from django.db.models import Model
from django.forms import MultiWidget
from django.test import Client, RequestFactory
from django.utils import timezone

from apps.tenants.access.audited_admin import AuditedAdmin
from apps.tenants.access.factors.models import Authenticator
from apps.tenants.access.models import AuditEvent
from apps.tenants.access.models.audit import AuditQuerySet
from apps.tenants.models import Tenant
from apps.tracking.models import Project
from config.routes import all_routes
from maestro.admin.sites import operator_site
from tests.auditing import state
from tests.auditing.admin_pages import ACTIONS, ADDED, ELSEWHERE, MODEL_PAGE, PAGES, READS, ROWS, SITE
from tests.factories.stage import REQUEST_ID, Call, send


# How a row is made by hand, and one field of it that is changed in its form.
# Django's, and those of test_own_pages.py and below.
@pytest.fixture
def boss(acme: Tenant) -> User:
    return User.objects.create_superuser("boss", password="x")


@pytest.fixture
def browser(acme: Tenant, boss: User) -> Client:
    client = Client(headers={"host": "acme.localhost"})
    client.force_login(boss, backend="apps.tenants.access.sign_in.passwords.PasswordBackend")
    return client


def may(act: str, model: type[Model], boss: User) -> bool:
    request = RequestFactory().get("/")
    request.user = boss
    return bool(getattr(SITE[model], f"has_{act}_permission")(request))


def address(model: type[Model], rest: str = "") -> str:
    return f"/admin/{model._meta.app_label}/{model._meta.model_name}/{rest}"


def whole_form(client: Client, path: str, changes: dict[str, str]) -> dict[str, Any]:
    """Fill a form as a browser would: with what it shows, and the changes."""
    page = client.get(path)
    assert page.status_code == 200, path
    if page.context is None or "adminform" not in page.context:
        return dict(changes)
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    shown: dict[str, Any] = {}
    for form in forms:
        for field in form:
            shown |= filled(field)
    return shown | changes


def filled(field: Any) -> dict[str, Any]:
    """What a browser would send back of one field as it is shown."""
    value, widget = field.value(), field.field.widget
    if value is False or value in (None, "", []) or field.field.disabled:
        return {}
    if isinstance(widget, MultiWidget):
        return {f"{field.html_name}_{n}": part for n, part in enumerate(widget.decompress(value)) if part}
    if isinstance(value, list):
        return {field.html_name: [getattr(part, "pk", part) for part in value]}
    return {field.html_name: widget.format_value(value)}


def post(client: Client, path: str, fields: dict[str, Any]) -> Any:
    return send(client, Call("POST", path, urlencode(fields, doseq=True).encode(), content_type="form"))


def check(client: Client, path: str, fields: dict[str, Any], action: str, who: str = "person:boss") -> None:
    """Post, and compare what changed with what was written down."""
    before, seen = state.look(), set(AuditEvent.objects.values_list("pk", flat=True))
    answer = post(client, path, fields)
    assert answer.status_code == 302, errors_of(answer)
    assert state.changed(before, state.look()), "nothing changed"
    made = AuditEvent.objects.exclude(pk__in=seen)
    assert [event.action for event in made] == [action]
    event = made[0]
    assert (event.actor, event.role, event.request_id, event.address) == (who, "admin", REQUEST_ID, "127.0.0.1")
    assert event.object_type
    assert event.object_id
    assert event.before != event.after


def errors_of(answer: Any) -> Any:
    if not answer.context or "adminform" not in answer.context:
        return answer.content[:2_000]
    return answer.context["adminform"].form.errors, answer.context["errors"]


def test_each_page_of_the_admin_is_declared() -> None:
    patterns = {route.pattern for route in all_routes() if route.guarded_by_admin}
    models = {f"admin/{m._meta.app_label}/{m._meta.model_name}/" for m in (*SITE, *operator_site._registry)}
    of_models = {p for p in patterns if (match := MODEL_PAGE.fullmatch(p)) and match[1] in models}
    own = {p for p in patterns - of_models if "app_label" not in p}
    assert sorted(own - set(PAGES) - READS - ELSEWHERE) == [], "declare these: what they change and what they record"
    assert sorted((set(PAGES) | READS | ELSEWHERE) - own) == [], "these pages are gone"


def test_what_may_be_changed_is_audited_and_tried_here(boss: User) -> None:
    changeable = {m for m in SITE if any(may(act, m, boss) for act in ("add", "change", "delete"))}
    assert {m.__name__ for m in changeable if not isinstance(SITE[m], AuditedAdmin)} == set()
    assert changeable == set(ROWS)
    assert {m for m in changeable if may("add", m, boss)} == set(ADDED)
    assert {a for m in SITE for a in SITE[m].actions} == ACTIONS, "an action of its own needs its test here"


@pytest.mark.parametrize("model", ADDED, ids=lambda m: m.__name__)
def test_an_addition_is_recorded(browser: Client, model: type[Model]) -> None:
    path = address(model, "add/")
    check(browser, path, whole_form(browser, path, ADDED[model]), f"{model._meta.model_name}.add")


@pytest.mark.parametrize("model", ROWS, ids=lambda m: m.__name__)
def test_a_change_is_recorded_and_a_form_saved_as_it_was_is_not(
    browser: Client, boss: User, model: type[Model]
) -> None:
    make, changes = ROWS[model]
    page = next((p for p in PAGES if p.startswith(address(model)[1:]) and p.endswith("edit/")), "")
    path = address(model, f"{make().pk}/{'edit' if page else 'change'}/")
    fields = whole_form(browser, path, changes)
    check(browser, path, fields, f"{model._meta.model_name}.change")
    seen = AuditEvent.objects.count()
    assert post(browser, path, fields).status_code == 302
    assert AuditEvent.objects.count() == seen


@pytest.mark.parametrize("model", ROWS, ids=lambda m: m.__name__)
@pytest.mark.parametrize("by", ["its page", "the list's action"])
def test_a_deletion_is_recorded(browser: Client, boss: User, model: type[Model], by: str) -> None:
    if not may("delete", model, boss):
        assert browser.get(address(model, f"{ROWS[model][0]().pk}/delete/")).status_code == 403
        return
    row = ROWS[model][0]()
    if by == "its page":
        check(browser, address(model, f"{row.pk}/delete/"), {"post": "yes"}, f"{model._meta.model_name}.delete")
        return
    fields = {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"}
    check(browser, address(model), fields, f"{model._meta.model_name}.delete")


@pytest.mark.parametrize("page", PAGES)
def test_a_page_of_its_own_is_recorded(browser: Client, boss: User, page: str) -> None:
    rest, changes, action = PAGES[page](boss)
    fields = whole_form(browser, f"/admin/{rest}", changes) if page.endswith("edit/") else changes
    check(browser, f"/admin/{rest}", fields, action)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_without_its_event_changes_nothing(
    browser: Client, boss: User, page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest, changes, _ = PAGES[page](boss)
    fields = whole_form(browser, f"/admin/{rest}", changes) if page.endswith("edit/") else changes
    before = state.look()

    def broken(*args: Any, **kwargs: Any) -> None:
        raise DatabaseError("the log can not be written")

    monkeypatch.setattr(AuditQuerySet, "create", broken)
    browser.raise_request_exception = False
    assert post(browser, f"/admin/{rest}", fields).status_code >= 500
    monkeypatch.undo()
    assert state.changed(before, state.look()) == []


def test_a_person_s_new_role_is_told(browser: Client) -> None:
    """Roles are groups, which no column of the person's row shows."""
    person = User.objects.create_user("dan")
    group = Group.objects.get(name="admin")
    path = address(User, f"{person.pk}/change/")
    check(browser, path, whole_form(browser, path, {}) | {"groups": [group.pk]}, "user.change")
    event = AuditEvent.objects.get(action="user.change")
    assert (event.before["groups"], event.after["groups"]) == ([], ["admin"])


def test_a_project_s_new_member_is_told(browser: Client) -> None:
    project, person = Project.objects.create(slug="p", name="P"), User.objects.create_user("eve")
    path = address(Project, f"{project.pk}/edit/")
    inline = {"members-TOTAL_FORMS": "1", "members-0-user": str(person.pk), "members-0-title": "lead"}
    check(browser, path, whole_form(browser, path, {}) | inline, "project.change")
    assert AuditEvent.objects.get(action="project.change").after["parts"][0]["added"]["name"] == "member"


def test_the_action_that_takes_a_second_factor_away_is_told(browser: Client) -> None:
    person = User.objects.create_user("fay")
    Authenticator.objects.create(user=person, sealed_secret=b"x", confirmed_at=timezone.now())
    fields = {"action": "reset_second_factor", "_selected_action": person.pk}
    check(browser, address(User), fields, "second_factor.reset")


def test_the_action_that_closes_an_account_is_told(browser: Client) -> None:
    person = User.objects.create_user("gus")
    check(browser, address(User), {"action": "close_accounts", "_selected_action": person.pk}, "person.close")
