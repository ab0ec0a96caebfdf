"""Behind a pooler in transaction mode a session's tenant would be somebody else's: Maestro refuses to start there."""

import os
import subprocess
import sys
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from config import checks
from tests.patience import ANSWER_SECONDS
from tests.pooler import Pooler, pooler
from tests.web import ROOT


def through(url: str, running: Pooler) -> str:
    """The same database, by way of the pooler."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@127.0.0.1:{running.port}"))


def start(environment: dict[str, str], url: str) -> subprocess.CompletedProcess[str]:
    """Import the web server's entry, as a server would."""
    values = os.environ | environment | {"MAESTRO_DATABASE_URL": url, "MAESTRO_DEBUG": "0"}
    command = [sys.executable, "-c", "import config.wsgi"]
    return subprocess.run(
        command, cwd=ROOT, env=values, capture_output=True, text=True, check=False, timeout=ANSWER_SECONDS
    )


@pytest.mark.parametrize("by_transaction", [True, False], ids=["transaction mode", "session mode"])
def test_the_start_is_refused_behind_a_transaction_pooler_only(
    test_environment: dict[str, str], db: None, by_transaction: bool
) -> None:
    url = test_environment["MAESTRO_DATABASE_URL"]
    parts = urlsplit(url)
    with pooler(str(parts.hostname), parts.port or 5432, by_transaction=by_transaction) as running:
        via = through(url, running)
        with psycopg.connect(via, connect_timeout=60) as link:
            assert link.execute("SELECT current_user").fetchone() == ("maestro_app",)
        found = [code for code, _ in checks.pooler_faults(via)]
        done = start(test_environment, via)
        assert running.lent > 3
    if by_transaction:
        assert found == ["maestro.E011"]
        assert done.returncode != 0
        assert "behind a pooler in transaction mode" in done.stderr.splitlines()[-1]
    else:
        assert found == []
        assert done.returncode == 0, done.stderr


def test_the_pooler_of_these_tests_does_mix_sessions(test_environment: dict[str, str], db: None) -> None:
    """What the gate is for: one client's search_path is met by another."""
    url = test_environment["MAESTRO_DATABASE_URL"]
    parts = urlsplit(url)
    with pooler(str(parts.hostname), parts.port or 5432, by_transaction=True) as running:
        via = through(url, running)
        with (
            psycopg.connect(via, connect_timeout=60, autocommit=True) as one,
            psycopg.connect(via, connect_timeout=60, autocommit=True) as two,
        ):
            one.execute("SET search_path = acme")
            assert two.execute("SHOW search_path").fetchone() == ("acme",)
