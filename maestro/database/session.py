"""The floor: the current connection, typed as what it is: one that knows its tenant."""

from typing import TYPE_CHECKING, cast

from django.db import connection as _connection

if TYPE_CHECKING:
    from maestro.database.base import DatabaseWrapper

connection = cast("DatabaseWrapper", _connection)
