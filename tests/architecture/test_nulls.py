"""NULL never means "for everybody" where a deletion can write it: each foreign key that a deletion empties is known."""

from django.apps import apps
from django.conf import settings
from django.db import models

# What an emptied reference means, and why that opens nothing.
EMPTIED = {
    "tenants.Job.tenant": "the operators' own list of works; the tenant is gone, and its people never see the list",
    "registry.ArtifactVersion.run": "where a version came from; who sees it follows from its artifact",
    "registry.ArtifactVersion.logged_model": "where a version came from; who sees it follows from its artifact",
    "registry.LoggedModel.run": "where a model came from; who sees it follows from its experiment",
}
# References that, when empty, mean everything or everybody: no deletion may empty or leave them.
WIDE_WHEN_EMPTY = {
    "access.ApiKey.project_id": "the whole tenant",
    "registry.Artifact.project": "shared with everybody",
    "registry.Gate.project": "every project, and what is shared",
    "tracking.LifeRule.project": "every project",
    "tracking.SavedView.project": "no project of its own",
    "tracking.StorageUse.project": "the whole tenant",
    "tracking.Webhook.project": "all projects are told of",
    "tracking.Notice.project": "no project's own, and told to who listens to all",
    "tracking.SavedView.experiment": "no experiment of its own",
}
EMPTYING = (models.SET_NULL, models.SET_DEFAULT)


def ours() -> list[tuple[str, models.Field]]:
    labels = {name.rpartition(".")[2] for name in (*settings.SHARED_APPS, *settings.TENANT_APPS) if "apps." in name}
    found = [model for config in apps.get_app_configs() if config.label in labels for model in config.get_models()]
    return [(f"{one._meta.label}.{field.name}", field) for one in found for field in one._meta.concrete_fields]


def is_emptied(field: models.Field) -> bool:
    deletion = getattr(field.remote_field, "on_delete", None)
    return deletion in EMPTYING or (deletion is not None and hasattr(deletion, "deconstruct"))


def test_every_reference_that_a_deletion_empties_is_known_and_harmless() -> None:
    assert {name for name, field in ours() if is_emptied(field)} == set(EMPTIED)


def test_no_reference_that_is_wide_when_empty_is_emptied_by_a_deletion() -> None:
    fields = dict(ours())
    assert set(WIDE_WHEN_EMPTY) <= set(fields)
    assert [name for name in WIDE_WHEN_EMPTY if is_emptied(fields[name])] == []


def test_every_optional_reference_to_a_project_says_what_none_means() -> None:
    """A new one has to say so here: that is when somebody asks what its deletion does."""
    optional = {
        name
        for name, field in ours()
        if field.null and (name.endswith(".project_id") or getattr(field.related_model, "__name__", "") == "Project")
    }
    assert optional <= set(WIDE_WHEN_EMPTY)
