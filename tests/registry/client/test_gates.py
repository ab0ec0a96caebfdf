"""maestro-ci: gates asked and passed."""

from collections.abc import Callable
from pathlib import Path

from django.test import Client

from apps.registry.models import Alias
from apps.tenants.models import Tenant
from tests.registry.client.conftest import Ci, told, write

ASK = ("encoder", "1", "--alias", "serving", "--output", "json")


def test_a_protected_alias_waits_for_somebody_else(
    ci: Ci, committed: Tenant, api: Callable[..., Client], tmp_path: Path
) -> None:
    write(tmp_path / "files", {"a.txt": b"a"})
    told(ci("artifact", "push", "encoder", "files", "--kind", "feature_pipeline", "--output", "json"))
    asked = ci("gate", *ASK)
    assert (asked.returncode, "NOT MET: 0 of 1 approvals" in asked.stderr) == (6, True), asked.stderr
    assert ci("promote", *ASK, "--dry-run").returncode == 6
    waiting = told(ci("promote", *ASK, "--why", "better"))
    assert waiting["state"] == "waiting"
    slow = ci("promote", *ASK, "--why", "better", "--wait", "--timeout", "0.2", "--poll", "0.1")
    assert (slow.returncode, "goes on without this job" in slow.stderr) == (8, True), slow.stderr
    lead, at = api(committed, "approver"), f"/api/v1/artifacts/encoder/promotions/{waiting['id']}/"
    etag = lead.get(at).headers["etag"]
    body, headers = {"decision": "approve", "why": "seen"}, {"if-match": etag}
    answer = lead.post(f"{at}approvals/", body, content_type="application/json", headers=headers)
    assert answer.status_code == 200, answer.content
    assert Alias.objects.get(name="serving").version.number == 1
    assert ci("promote", *ASK, "--why", "once more").returncode == 5


def test_an_open_alias_moves_at_once(ci: Ci, committed: Tenant, tmp_path: Path) -> None:
    write(tmp_path / "files", {"a.txt": b"a"})
    push = ("artifact", "push", "encoder", "files", "--kind", "feature_pipeline", "--alias", "best", "--output", "json")
    assert told(ci(*push))["promotion"] == "done"
    assert Alias.objects.get(name="best").version.number == 1
    assert ci("promote", "encoder", "1").returncode == 2
    assert ci("promote", "encoder", "9", "--alias", "best").returncode == 4
