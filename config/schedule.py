"""The roof: what runs when. One public entry a job; the job itself fans out over the active tenants."""

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {}
