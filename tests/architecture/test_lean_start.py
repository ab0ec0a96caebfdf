"""A web worker starts without the libraries that trainings, exports and histories need."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("numpy", "scipy", "pandas", "lightgbm", "sklearn", "pyarrow", "mlflow")
LOOK = """
import sys
import config.wsgi
from django.urls import get_resolver
from config.lane import lanes
assert lanes()
for name in ("config.urls", "config.urls_public"):
    get_resolver(name).url_patterns
print(",".join(name for name in sys.argv[1:] if name in sys.modules))
"""


def test_a_web_worker_imports_no_heavy_library(test_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *HEAVY],
        cwd=ROOT,
        env=os.environ | test_environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""
