"""The access room: keeps sessions in the schema's own table. The setting SESSION_ENGINE names this module."""

from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore as TableStore

from apps.tenants.access.factors.models import Session


class SessionStore(TableStore):
    """Django's sessions in a table, each with its person."""

    @classmethod
    def get_model_class(cls) -> type[Session]:  # type: ignore[override]
        """Where they are kept."""
        return Session

    def create_model_instance(self, data: dict[str, Any]) -> Session:  # type: ignore[override]
        """Write a session's row."""
        row: Any = super().create_model_instance(data)
        row.person_id = int(data[SESSION_KEY]) if SESSION_KEY in data else None
        return row  # type: ignore[no-any-return]
