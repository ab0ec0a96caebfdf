"""Our own description of the API, as it is committed; read once in a process, by libyaml, as it is long."""

from pathlib import Path
from typing import Any

import yaml

PLACE = Path(__file__).resolve().parent.parent / "docs" / "openapi.yaml"
DESCRIPTION: dict[str, Any] = yaml.load(PLACE.read_bytes(), Loader=yaml.CSafeLoader)
