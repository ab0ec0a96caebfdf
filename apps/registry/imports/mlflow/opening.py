"""The registry room: which kind of MLflow store a text names: a server, a folder or a SQLite file."""

import base64
from collections.abc import Mapping
from pathlib import Path

from apps.registry.imports.folder import Folder
from apps.registry.imports.mlflow.calls import Calls
from apps.registry.imports.mlflow.database import Database
from apps.registry.imports.mlflow.file_store import FileStore
from apps.registry.imports.mlflow.given import Source
from apps.registry.imports.mlflow.server import Server
from apps.registry.imports.report import Report
from maestro.errors import NotFound

BESIDE = ("mlartifacts", "mlruns")


def open_source(text: str, report: Report, *, artifacts: str, name: str, environment: Mapping[str, str]) -> Source:
    """Open a source. `artifacts` is the folder of the files that a SQLite file tells of, else looked for beside it.

    Raises NotFound, Invalid, Unavailable.
    """
    named = name or text.rstrip("/")
    if text.startswith(("http://", "https://")):
        return Server(Calls(text, headers_of(environment)), report, name=named)
    path = Path(text.removeprefix("sqlite:///").removeprefix("file://"))
    if path.is_dir():
        return FileStore(Folder(path), report, name=named)
    if not path.is_file():
        raise NotFound(f"there is no folder and no file {text[:200]!r}")
    beside = [path.parent / folder for folder in BESIDE if (path.parent / folder).is_dir()]
    files = Path(artifacts) if artifacts else next(iter(beside), None)
    return Database(path, Folder(files) if files else None, report, name=named)


def headers_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Write the header that lets us in, from the variables that MLflow's own clients read."""
    user, password = (environment.get(f"MLFLOW_TRACKING_{part}", "") for part in ("USERNAME", "PASSWORD"))
    if user and password:
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
    token = environment.get("MLFLOW_TRACKING_TOKEN", "")
    return {"Authorization": f"Bearer {token}"} if token else {}
