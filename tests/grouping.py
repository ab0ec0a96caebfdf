"""Tests that share what is dear to start: a file's tests go to one worker, so that it is started once.

xdist's own mark for it, `xdist_group`, is without effect in xdist 3.8 under pytest 9.2, which names tests anew.
"""

from typing import Any

import pytest
from xdist.scheduler import LoadGroupScheduling

# Files with a server, a demo or a trained model for all of their tests.
TOGETHER = {
    "tests/hostile/test_database_down.py",
    "tests/hostile/test_memory_of_kinds.py",
    "tests/hostile/test_slow_clients.py",
    "tests/maestro/embedded/test_demo.py",
    "tests/maestro/test_serve.py",
    "tests/recommendations/estimators/test_forecasting.py",
    "tests/recommendations/estimators/test_impact.py",
    "tests/registry/imports/test_mlflow_server.py",
    "tests/tenants/access/sign_in/test_provider.py",
    "tests/tenants/moving/test_hostile.py",
}


class Together(LoadGroupScheduling):
    """Gives out tests one by one, but those of some files whole."""

    def _split_scope(self, nodeid: str) -> str:
        """What is given out at once."""
        file = nodeid.partition("::")[0]
        return file if file in TOGETHER else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together | None:
    """Schedule `--dist loadgroup`."""
    return Together(config, log) if config.getvalue("dist") == "loadgroup" else None
