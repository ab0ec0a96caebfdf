"""How a project went: one writer for pages, REST and the rule, which spells its author one way."""

import json
from collections.abc import Callable

from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from apps.recommendations.past import outcomes as by_rule
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from apps.tracking.models import LatestMetric, Project, Run
from tests.factories.door import Door
from tests.factories.many_runs import make_experiment, make_runs

GOAL = {"goal_metric": "auc", "goal_worst": 0.0, "goal_best": 1.0}


def form_of(project: Project, **said: str) -> dict[str, str]:
    """The page's form, filled as it is but for some fields."""
    whole = {"slug": project.slug, "name": project.name, "problem_class": "other", "goal_maximize": "on"}
    rows = {f"members-{name}_FORMS": "0" for name in ("TOTAL", "INITIAL", "MIN_NUM")} | {"members-MAX_NUM_FORMS": "9"}
    return whole | rows | {"dataset_facts": "{}", "labels": "{}"} | said


def told() -> list[tuple[str, str]]:
    return list(AuditEvent.objects.order_by("at", "id").values_list("action", "actor"))


def test_a_page_and_rest_write_the_same_author_and_event(
    acme: Tenant, api: Callable[..., Client], person: Callable[[str], Client]
) -> None:
    project = Project.objects.create(slug="one", name="One")
    page = person("admin").post(f"/admin/tracking/project/{project.pk}/edit/", form_of(project, success="70"))
    assert page.status_code == 302, page.content
    project.refresh_from_db()
    assert (project.success, project.outcome_source, project.outcome_set_by) == (70, "person", "person:a-admin")
    # The form said nothing else, so its own event would only repeat this one.
    assert told() == [("project.outcome", "person:a-admin")]
    path = "/api/v1/projects/one/outcome/"
    for _ in range(2):
        answer = api(acme).put(path, json.dumps({"success": 80}), content_type="application/json")
        assert answer.json()["outcome"]["set_by"].startswith("key:")
    assert [action for action, _ in told()] == ["project.outcome", "project.outcome"]
    person_client = Client(headers={"host": "acme.localhost"})
    person_client.force_login(
        User.objects.get(username="a-admin"), backend="apps.tenants.access.sign_in.passwords.PasswordBackend"
    )
    assert person_client.post(f"/admin/tracking/project/{project.pk}/edit/", form_of(project)).status_code == 302
    project.refresh_from_db()
    assert (project.success, project.outcome_source, project.outcome_set_by) == (None, "", "")
    assert project.outcome_set_at is None


def test_the_rule_writes_by_the_same_verb_and_not_over_a_person(door: Door) -> None:
    home = make_experiment("one", "one")
    make_runs(door, home, 2)
    Run.objects.update(status="FINISHED")
    assert LatestMetric.objects.count() == 2
    Project.objects.filter(pk=home.project_id).update(**GOAL, ends_at=timezone.now())
    assert by_rule.derive_due(timezone.now()) == 1
    assert by_rule.derive_due(timezone.now()) == 0
    found = Project.objects.get(pk=home.project_id)
    assert (found.success, found.outcome_source, found.outcome_set_by) == (10.0, "derived", "rule")
    assert told() == [("project.outcome", "rule")]
    Project.objects.filter(pk=found.pk).update(outcome_source="person", success=3)
    assert by_rule.derive_due(timezone.now()) == 0
