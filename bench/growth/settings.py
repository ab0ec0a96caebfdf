"""The product's settings with one more room in every tenant, in the release that MAESTRO_BENCH_RELEASE names."""

import os

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS, TENANT_APPS

EXTRA = "bench.growth.extra"
INSTALLED_APPS = [*INSTALLED_APPS, EXTRA]
TENANT_APPS = [*TENANT_APPS, EXTRA]
MIGRATION_MODULES = {"benchextra": f"{EXTRA}.migrations.{os.environ.get('MAESTRO_BENCH_RELEASE', 'first')}"}
