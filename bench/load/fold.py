"""`python -m bench.load.fold TENANT`: fold everything that a tenant's quiet runs logged, as the worker does in time."""

import json
import os
import sys
import time

import django

from bench.load.machine import ROOT

sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django_tenants.utils import tenant_context  # noqa: E402 Django must be set up first

from apps.tenants.models import Tenant  # noqa: E402
from apps.tracking.runs import folding  # noqa: E402
from maestro.clock import now_ms  # noqa: E402


def fold(slug: str, *, most: int = 1_000) -> dict[str, float]:
    """Fold until nothing is left. Returns how many runs, and in how many seconds."""
    begun, runs = time.perf_counter(), 0
    with tenant_context(Tenant.objects.get(slug=slug)):
        while some := folding.fold_quiet(now_ms(), quiet_ms=0, most=most):
            runs += some
    return {"runs": runs, "seconds": round(time.perf_counter() - begun, 2)}


if __name__ == "__main__":
    print(json.dumps(fold(sys.argv[1])))
