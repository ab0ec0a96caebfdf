"""The head of a tenant's migrations is told without loading them, and is what Django itself would say."""

import hashlib

from django.apps import apps
from django.conf import settings
from django.db.migrations.loader import MigrationLoader

from apps.tenants import template


def test_the_head_is_that_of_djangos_own_loader() -> None:
    labels = {config.label for config in apps.get_app_configs() if config.name in settings.TENANT_APPS}
    found = MigrationLoader(None, ignore_no_migrations=True).disk_migrations
    names = sorted(f"{app}.{name}" for app, name in found if app in labels)
    assert len(names) > 20
    assert template.current_head() == hashlib.sha256("\n".join(names).encode()).hexdigest()
