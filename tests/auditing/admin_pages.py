"""Every admin page that changes something, with what is posted to it and the event that this must leave."""

import re
from collections.abc import Callable
from typing import Any

from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.utils import timezone

from apps.registry.gates import passage
from apps.registry.models import Artifact, ArtifactVersion, Gate, Promotion
from apps.tenants.access.factors.models import FactorRule
from apps.tenants.access.models import AuditRetention, OidcProvider
from apps.tracking.models import Experiment, LifeRule, Project, Run
from maestro.admin.sites import tenant_site
from tests.auditing.rest_writes import PASSWORD, two_champions
from tests.factories.signing import new_key, public_pem


def a_run() -> Run:
    return Run.objects.create(experiment=Experiment.objects.get(name="Default"), name="x", start_ms=1, last_write_ms=1)


MODEL_PAGE = re.compile(r"(admin/[a-z]+/[a-z]+/)(|add/|<path:object_id>/(|history/|delete/|change/))")
PERSON = {"username": "ada", "password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"}
PROVIDER = {"slug": "idp", "name": "Idp", "issuer": "https://idp.example", "client_id": "maestro"}
ROWS: dict[type[Model], tuple[Callable[[], Model], dict[str, str]]] = {
    User: (lambda: User.objects.create_user("bea"), {"first_name": "Bea"}),
    Group: (lambda: Group.objects.create(name="old"), {"name": "new"}),
    OidcProvider: (lambda: OidcProvider.objects.create(**PROVIDER), {"name": "New"}),
    Project: (lambda: Project.objects.create(slug="old", name="Old"), {"name": "New"}),
    AuditRetention: (lambda: AuditRetention.objects.create(keep_days=400), {"keep_days": "90"}),
    FactorRule: (FactorRule.objects.create, {"is_required": "on"}),
    LifeRule: (lambda: LifeRule.objects.create(trash_days=40), {"trash_days": "50"}),
    Gate: (
        lambda: Gate.objects.create(name="Old", aliases=["gated"], approvals=1, changed_at=timezone.now()),
        {"approvals": "2"},
    ),
    Artifact: (
        lambda: Artifact.objects.create(name="old", kind="model", created_ms=1, updated_ms=1),
        {"description": "new"},
    ),
}


ADDED: dict[type[Model], dict[str, str]] = {
    User: PERSON,
    Group: {"name": "fresh"},
    OidcProvider: PROVIDER | {"name": "Fresh"},
    LifeRule: {"trash_days": "40"},
    FactorRule: {"is_required": "on"},
    Gate: {
        "name": "Fresh",
        "aliases": "gated",
        "metrics": "auc >= 0.8\nauc >= @champion - 0.01 on holdout",
        "approvals": "1",
    },
    AuditRetention: {"keep_days": "400"},
    Project: {"slug": "fresh", "name": "Fresh", "dataset_facts": "{}", "labels": "{}"},
}


def edit(model: type[Model]) -> tuple[str, dict[str, str], str]:
    make, changes = ROWS[model]
    meta = model._meta
    return f"{meta.app_label}/{meta.model_name}/{make().pk}/edit/", changes, f"{meta.model_name}.change"


def a_version() -> ArtifactVersion:
    artifact = Artifact.objects.create(name="old", kind="model", created_ms=1, updated_ms=1)
    return ArtifactVersion.objects.create(artifact=artifact, number=1, state="ready", created_ms=1, updated_ms=1)


def a_trashed_version() -> ArtifactVersion:
    version = a_version()
    ArtifactVersion.objects.update(deleted_ms=1)
    return version


def decision() -> tuple[str, dict[str, str], str]:
    version, now = a_version(), timezone.now()
    row = Promotion.objects.create(
        artifact=version.artifact, version=version, what="alias", name="serving", asked_by="key:ci", asked_at=now
    )
    seen = passage.look(version, row.target, now).seen
    return f"promotions/{row.pk}/decide/", {"do": "decline", "seen": seen}, "promotion.decline"


PAGES: dict[str, Callable[[User], tuple[str, dict[str, str], str]]] = {
    "admin/auth/user/<id>/password/": lambda boss: (
        f"auth/user/{User.objects.create_user('cy').pk}/password/",
        {"password1": PASSWORD, "password2": PASSWORD, "usable_password": "true"},
        "user.change",
    ),
    "admin/password_change/": lambda boss: (
        "password_change/",
        {"old_password": "x", "new_password1": PASSWORD, "new_password2": PASSWORD},
        "person.new_password",
    ),
    "admin/impact/trainings/ask/": lambda boss: ("impact/trainings/ask/", {}, "training.ask"),
    "admin/impact/trainings/<uuid:pk>/roll-back/": lambda boss: (
        f"impact/trainings/{two_champions().pk}/roll-back/",
        {},
        "model.roll_back",
    ),
    "admin/signing-keys/": lambda boss: (
        "signing-keys/",
        {"name": "release", "kind": "public_key", "pem": public_pem(new_key())},
        "signing_key.trust",
    ),
    "admin/artifacts/<uuid:pk>/aliases/": lambda boss: (
        f"artifacts/{a_version().artifact_id}/aliases/",
        {"do": "move", "name": "open", "version": "1"},
        "alias.set",
    ),
    "admin/artifacts/<uuid:pk>/act/": lambda boss: (
        f"artifacts/{a_version().artifact_id}/act/",
        {"do": "trash"},
        "artifact.trash",
    ),
    "admin/versions/<uuid:pk>/act/": lambda boss: (f"versions/{a_version().pk}/act/", {"do": "trash"}, "version.trash"),
    "admin/artifacts/trash/restore/": lambda boss: (
        "artifacts/trash/restore/",
        {"version": str(a_trashed_version().pk)},
        "version.restore",
    ),
    "admin/promotions/<uuid:pk>/decide/": lambda boss: decision(),
    "admin/team/time-zone/": lambda boss: ("team/time-zone/", {"time_zone": "Europe/Vienna"}, "time_zone.change"),
    "admin/team/<uuid:pk>/": lambda boss: (
        f"team/{Project.objects.create(slug='old', name='Old').pk}/",
        {"do": "rule", "source": "alias", "serving_aliases": "live"},
        "delivery.rule",
    ),
    "admin/what-if/": lambda boss: ("what-if/", {"complexity": "40"}, "forecast.ask"),
    "admin/importance/<int:pk>/": lambda boss: ("importance/0/", {"metric": "auc"}, "importance.ask"),
    "admin/runs/act/": lambda boss: ("runs/act/", {"do": "trash", "run": a_run().pk.hex}, "run.trash"),
    "admin/runs/exports/": lambda boss: ("runs/exports/", {}, "export.ask"),
    "admin/views/": lambda boss: ("views/", {"action": "create", "name": "mine", "query": ""}, "view.create"),
    "admin/find/saved/": lambda boss: (
        "find/saved/",
        {"do": "keep", "name": "mine", "query": "q=encode"},
        "search.keep",
    ),
    "admin/tracking/project/<uuid:pk>/edit/": lambda boss: edit(Project),
    "admin/registry/artifact/<uuid:pk>/edit/": lambda boss: edit(Artifact),
}


READS = {
    "admin/",
    "admin/login/",
    "admin/logout/",
    "admin/password_change/done/",
    "admin/autocomplete/",
    "admin/jsi18n/",
    "admin/search/",
    "admin/find/",
    "admin/storage/",
    "admin/team/",
    "admin/settings/",
    "admin/compare/",
    "admin/curves/",
    "admin/keys/",
    "admin/runs/trash/",
    "admin/runs/exports/<uuid:export>/file/",
    "admin/tracking/trace/<str:pk>/file/",
    "admin/tracking/trace/<str:pk>/spans.csv",
    "admin/impact/",
    "admin/impact/calibration/",
    "admin/impact/trainings/",
    "admin/impact/trainings/<uuid:pk>/state/",
    "admin/impact/forecast-of/<uuid:pk>/state/",
    "admin/importance/<int:pk>/state/",
    "admin/what-if/<uuid:pk>/",
    "admin/what-if/<uuid:pk>/state/",
    "admin/tracking/run/<uuid:pk>/file/",
    "admin/tracking/run/<uuid:pk>/state/",
    "admin/artifacts/<uuid:pk>/compare/",
    "admin/artifacts/trash/",
    "admin/registry/artifactversion/<uuid:pk>/archive.<str:kind>",
    "admin/tracking/run/<uuid:pk>/archive.<str:kind>",
    "admin/registry/artifactversion/<uuid:pk>/built-on/",
    "admin/registry/artifactversion/<uuid:pk>/file/",
    "admin/registry/artifactversion/<uuid:pk>/lineage/",
    "admin/runs/<uuid:pk>/lineage/",
    "admin/(?P<url>.*)$",
}


ELSEWHERE = {"admin/second-factor/", "admin/second-factor/enter/", "admin/sign-ins/"}
# Their answers show a secret once: tests/tracking/delivery/test_connections.py.
ELSEWHERE |= {"admin/connections/", "admin/connections/<uuid:pk>/"}
ACTIONS = {"reset_second_factor", "close_accounts"}
SITE: dict[type[Model], ModelAdmin[Any]] = dict(tenant_site._registry)
