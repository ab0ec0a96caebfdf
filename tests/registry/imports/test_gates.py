"""Aliases and stages come as another tool had them, past gates as well: as imports, which are no promotions."""

from pathlib import Path

import pytest

from apps.registry import aliases
from apps.registry.models import AliasMove, Artifact, ArtifactVersion, Evidence, Gate
from apps.tenants.access.models import AuditEvent
from apps.tenants.models import Tenant
from maestro.clock import from_ms, now_ms
from maestro.errors import Conflict
from maestro.principals import Actor
from tests.registry.imports.conftest import Run as Command


def test_what_stands_before_a_gate_comes_with_evidence_that_it_was_imported(
    acme: Tenant, kept: Path, command: Command
) -> None:
    Gate.objects.create(name="the best", aliases=["champion"], files=["nothing.txt"], changed_at=from_ms(now_ms()))
    told, code = command("import_mlflow", kept / "sqlite" / "mlflow.db", "--tenant", "acme")
    assert (code, sorted(told["admitted"])) == (0, ["churn 1 in the stage Production", "churn@champion"])
    first = ArtifactVersion.objects.get(artifact__name="churn", number=1)
    staged, pointed = Evidence.objects.order_by("what").filter(version_id=first.pk)[::-1]
    assert (staged.act, staged.what, staged.name, staged.before_number) == ("import", "stage", "Production", None)
    assert (pointed.act, pointed.what, pointed.name, pointed.moved_by) == (
        "import",
        "alias",
        "champion",
        "import_mlflow",
    )
    assert [one["kind"] for one in pointed.outcomes if not one["is_met"]] == ["files"]
    move = AliasMove.objects.get(name="champion")
    assert (move.act, move.to_number, move.evidence_id, "sqlite" in move.why) == ("set", 1, pointed.pk, True)
    assert AuditEvent.objects.get(action="alias.set", object_id="churn@champion").actor == "import_mlflow"
    command("import_mlflow", kept / "sqlite" / "mlflow.db", "--tenant", "acme")
    assert Evidence.objects.count() == 2


def test_an_import_is_no_promotion_that_one_could_go_back_to(acme: Tenant, kept: Path, command: Command) -> None:
    command("import_mlflow", kept / "sqlite" / "mlflow.db", "--tenant", "acme")
    churn, by, at = Artifact.objects.get(name="churn"), Actor("ada"), from_ms(now_ms())
    assert not Evidence.objects.filter(what="alias").exists(), "no gate stands before champion"
    other = churn.versions.exclude(number=1).order_by("number")[0]
    aliases.point(churn, "champion", other, by, at=at)
    Gate.objects.create(name="the best", aliases=["champion"], files=["nothing.txt"], changed_at=at)
    with pytest.raises(Conflict, match="never passed"):
        aliases.roll_back(churn, "champion", by, at=at)
