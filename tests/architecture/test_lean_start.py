"""A web worker starts without what trainings, exports, histories, buckets and migrations need."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "numpy",
    "scipy",
    "pandas",
    "lightgbm",
    "sklearn",
    "pyarrow",
    "mlflow",
    "boto3",
    "tokenizers",
    "safetensors",
)
HEAVY = (*LIBRARIES, "apps.tracking.migrations")
LOOK = """
import sys
import config.wsgi
from django.urls import get_resolver
from apps.tenants.template import current_head
from config.lane import lanes
assert lanes() and current_head()
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


def test_what_tests_start_keeps_compiled_modules() -> None:
    told = subprocess.run(
        [sys.executable, "-c", "import sys; print(sys.dont_write_bytecode)"],
        check=False,
        capture_output=True,
        text=True,
    )
    assert (sys.dont_write_bytecode, told.stdout) == (False, "False\n")
