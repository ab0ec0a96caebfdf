"""What a real mlflow wrote, unpacked for each test (made by `seed_mlflow.py`, see there)."""

import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.factories.commands import run_command

HERE = Path(__file__).resolve().parent
Run = Callable[..., tuple[dict[str, Any], int]]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with `mlruns` (a file store) and `sqlite/mlflow.db` with its files."""
    with tarfile.open(HERE / "mlflow-3.17.2.tar.xz") as packed:
        packed.extractall(tmp_path, filter="data")
    return tmp_path


@pytest.fixture
def command() -> Run:
    """Run a command that imports; returns what it told, and its exit code."""
    return run_command
