"""The house keeps its plan: rooms with chambers, doors at their edges, one way out. Each rule fails on a planted fault."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.rules import ROOT, SOURCES

Rule = Callable[[str, str], list[str] | list[int]]
SHOWN = [
    *sorted(ROOT.glob("**/templates/**/*.html")),
    *sorted(ROOT.glob("static/*.js")),
    *sorted(ROOT.glob("static/**/*.css")),
]


@pytest.mark.parametrize("rule", [rules.speaks_to_the_network, rules.knows_http, rules.imports_late])
def test_every_source_keeps_the_rule(rule: Rule) -> None:
    broken = {
        where: found for path in SOURCES if (found := rule(where := str(path.relative_to(ROOT)), path.read_text()))
    }
    assert broken == {}


@pytest.mark.parametrize(
    ("rule", "where", "planted"),
    [
        (rules.speaks_to_the_network, "apps/tracking/runs/life.py", "import socket"),
        (rules.speaks_to_the_network, "apps/registry/sources.py", "from urllib.request import urlopen"),
        (rules.speaks_to_the_network, "config/serve.py", "from http import client"),
        (rules.knows_http, "apps/tracking/runs/trash.py", "from django.http import HttpRequest"),
        (rules.knows_http, "apps/registry/versions.py", "from rest_framework.request import Request"),
        (rules.imports_late, "apps/tracking/runs/life.py", "import_module('apps.registry.versions')"),
        (rules.imports_late, "apps/tracking/models/runs.py", "apps.get_model('tracking', 'Run')"),
        (rules.is_laid_out_by_hand, "apps/tracking/runs/life.py", "x = [1,\n     2]  # fmt: skip"),
        (rules.is_laid_out_by_hand, "tests/web.py", "# fmt: off"),
        (rules.is_too_wide, "page.html", "<p>" + "wide " * 30 + "</p>"),
    ],
)
def test_a_planted_fault_is_found(rule: Rule, where: str, planted: str) -> None:
    assert rule(where, planted)


def test_a_late_import_of_the_list_is_there() -> None:
    silent = [where for where in rules.LATE_IMPORTS if "import_module" not in (ROOT / where).read_text()]
    assert silent == []


def test_no_folder_is_a_corridor() -> None:
    assert {folder: count for folder, count in rules.modules_by_folder().items() if count > rules.MOST_MODULES} == {}


def test_templates_styles_and_scripts_fit_the_page() -> None:
    # Beside ours stand the packages of each client that a test speaks with.
    ours = [path for path in SHOWN if not path.relative_to(ROOT).parts[0].startswith(".venv")]
    shown = [path for path in ours if not {"vendor", "tests"} & set(path.parts)]
    wide = [f"{path.relative_to(ROOT)}:{n}" for path in shown for n in rules.is_too_wide(path.name, path.read_text())]
    assert len(shown) > 80
    assert wide == []


def test_nothing_is_laid_out_by_hand() -> None:
    kinds = ("apps", "maestro", "config", "tests", "bench", "docs")
    sources = [path for kind in kinds for path in (ROOT / kind).rglob("*.py")]
    assert [
        str(path.relative_to(ROOT)) for path in sources if rules.is_laid_out_by_hand(path.name, path.read_text())
    ] == []


PLANTED = {
    "apps/tracking/runs/life.py": "from apps.tracking.mlflow import runs as planted",
    "apps/registry/models/usages.py": "from apps.registry import versions as planted",
    "apps/recommendations/past/history.py": "from apps.recommendations.training.run import run as planted",
    "apps/tenants/fleet.py": "from apps.tenants.access import erasing as planted",
    "apps/tenants/access/models/roles.py": "from apps.tenants.access.keys import keyring as planted",
    "apps/tracking/api/runs.py": "from apps.tracking.admin import run as planted",
    "apps/tracking/files/paths.py": "from maestro.http import streams as planted",
    "apps/recommendations/estimators/drift.py": "import django as planted",
    "apps/registry/sources.py": "import numpy as planted",
    "maestro/clock.py": "import pickle as planted\nfrom apps.tracking import models as also",
}


def test_each_contract_breaks_on_a_planted_import(tmp_path: Path) -> None:
    for folder in ("apps", "maestro", "config"):
        shutil.copytree(
            ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__", "migrations", "*.html")
        )
    (tmp_path / "apps" / "tracking" / "unplaced.py").write_text("")
    for where, line in PLANTED.items():
        source = tmp_path / where
        source.write_text(source.read_text() + line + "\n")
    shutil.copy(ROOT / ".importlinter", tmp_path / ".importlinter")
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    contracts = (ROOT / ".importlinter").read_text().count("[importlinter:contract:")
    assert told.returncode == 1
    assert f"0 kept, {contracts} broken" in told.stdout, told.stdout[-3000:]
