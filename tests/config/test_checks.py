"""The deploy gate: what would let the wrong people in stops the start, and says what to do."""

import os
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError

from config import checks

ROOT = Path(__file__).resolve().parents[2]
GOOD = "aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY"


@pytest.fixture
def deployed(settings: Any) -> Any:
    """Settings of a real installation."""
    settings.BASE_HOST, settings.TLS, settings.DEBUG = "maestro.example.org", True, False
    settings.TRUSTED_PROXIES, settings.ALLOWED_HOSTS = (ip_network("10.0.0.2/32"),), [".maestro.example.org"]
    settings.SECRET_KEY, settings.KEY_PEPPER, settings.METRICS_TOKEN = GOOD, GOOD[::-1], ""
    return settings


def found() -> set[str]:
    return {code for code, _ in checks.settings_faults()}


def test_good_settings_pass(deployed: Any) -> None:
    assert found() == set()


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("SECRET_KEY", "changeme", "maestro.E001"),
        ("SECRET_KEY", "a" * 64, "maestro.E001"),
        ("SECRET_KEY", "django-insecure-" + GOOD, "maestro.E001"),
        ("KEY_PEPPER", "short", "maestro.E002"),
        ("KEY_PEPPER", GOOD, "maestro.E002"),
        ("METRICS_TOKEN", "metrics", "maestro.E003"),
        ("DEBUG", True, "maestro.E004"),
        ("TLS", False, "maestro.E005"),
        ("TRUSTED_PROXIES", (), "maestro.E006"),
        ("TRUSTED_PROXIES", (ip_network("0.0.0.0/0"),), "maestro.E006"),
        ("ALLOWED_HOSTS", ["*"], "maestro.E007"),
    ],
)
def test_each_fault_is_named_and_no_secret_is_shown(deployed: Any, name: str, value: Any, code: str) -> None:
    setattr(deployed, name, value)
    assert code in found()
    assert GOOD not in str(list(checks.settings_faults()))


def test_the_gate_refuses_outside_debug_and_only_warns_inside(deployed: Any, db: None) -> None:
    deployed.SECRET_KEY = "changeme"
    with pytest.raises(ImproperlyConfigured, match="MAESTRO_SECRET_KEY is weak"):
        checks.refuse_unsafe_start()
    deployed.DEBUG, deployed.BASE_HOST = True, "localhost"
    checks.refuse_unsafe_start()


def test_the_gate_lets_good_settings_and_a_direct_database_through(deployed: Any, db: None) -> None:
    checks.refuse_unsafe_start()


def test_a_database_that_is_away_does_not_stop_the_start(deployed: Any) -> None:
    deployed.DATABASE_URL = "postgresql://a:b@127.0.0.1:1/x"
    checks.refuse_unsafe_start()


def test_the_owners_login_is_refused_for_serving(deployed: Any, db: None) -> None:
    with psycopg.connect(deployed.OWNER_DATABASE_URL) as owner:
        assert "maestro.E010" in {code for code, _ in checks.login_faults(owner)}
    with psycopg.connect(deployed.DATABASE_URL) as app:
        assert list(checks.login_faults(app)) == []


def test_a_tenant_behind_is_named(deployed: Any, db: None) -> None:
    with psycopg.connect(deployed.DATABASE_URL) as link:
        said = [fault for _, fault in checks.schema_faults(link, "another head")]
    assert said[0].startswith("not at the head of the migrations: acme")


def test_check_deploy_reports_ours(deployed: Any, db: None) -> None:
    deployed.SECRET_KEY = "changeme"
    with pytest.raises(SystemCheckError, match=r"maestro\.E001"):
        call_command("check", deploy=True)


@pytest.mark.parametrize("secret", ["changeme", "x" * 50])
def test_the_web_servers_entry_exits_with_one_line(test_environment: dict[str, str], secret: str) -> None:
    values = os.environ | test_environment | {"MAESTRO_SECRET_KEY": secret, "MAESTRO_DEBUG": "0"}
    command = [sys.executable, "-c", "import config.wsgi"]
    done = subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "MAESTRO_SECRET_KEY is weak" in done.stderr.splitlines()[-1]


def run_manage(values: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *words]
    return subprocess.run(command, cwd=ROOT, env=values, capture_output=True, text=True, check=False)


def test_a_sound_installation_has_nothing_to_hear(test_environment: dict[str, str], django_db_setup: None) -> None:
    values = os.environ | test_environment
    done = run_manage(values, "check", "--deploy")
    assert (done.returncode, done.stderr) == (0, "")
    weak = run_manage(values | {"MAESTRO_SECRET_KEY": "changeme"}, "check", "--deploy")
    assert weak.returncode == 1
    assert "maestro.E001" in weak.stderr


def test_a_missing_setting_is_one_line() -> None:
    values = {name: value for name, value in os.environ.items() if not name.startswith(("MAESTRO_", "DJANGO_"))}
    done = run_manage(values | {"MAESTRO_HOME": "/nowhere"}, "create_tenant", "acme")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "MAESTRO_" in done.stderr
