"""Says what the filled tenant of the memory line holds, and gives it an artifact with a long card; prints JSON."""

import argparse
import json
import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from django_tenants.utils import tenant_context  # noqa: E402 after setup

from apps.registry.models import Artifact  # noqa: E402
from apps.tenants.models import Tenant  # noqa: E402
from apps.tracking.models import Experiment, Project, Run  # noqa: E402
from bench.memory.filling import FILES  # noqa: E402
from maestro.clock import now_ms  # noqa: E402


def main() -> None:
    """Look, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenant", required=True)
    with tenant_context(Tenant.objects.get(slug=parser.parse_args().tenant)):
        card = FILES["a.md"]()[:100_000].decode()
        at = now_ms()
        told = {"kind": "model", "card": card, "created_ms": at, "updated_ms": at}
        artifact, _ = Artifact.objects.get_or_create(name="carded", defaults=told)
        found = {
            "runs": {name: runs_of(name) for name in ("many runs", "many keys", "long curves")},
            "experiments": [str(pk) for pk in Experiment.objects.values_list("pk", flat=True)],
            "artifact": str(artifact.pk),
            "project": str(Project.objects.get(slug="page-bench").pk),
        }
    print(json.dumps(found))


def runs_of(name: str) -> list[str]:
    """Some runs of an experiment, by their ids."""
    rows = Run.objects.filter(experiment__name__startswith=name).values_list("pk", flat=True)
    return [pk.hex for pk in rows[:40]]


if __name__ == "__main__":
    main()
