"""The floor: the Postgres backend with both walls between tenants.

Every switch of tenant sends `SET search_path` and `SET ROLE` as one statement, so that a qualified name of
another tenant's table is refused by Postgres itself. A failed switch raises; it is never ignored.
"""

import select
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django_tenants.postgresql_backend import base
from psycopg import sql
from psycopg.pq import ConnStatus, TransactionStatus

from maestro.database import silence

PUBLIC = "public"


def role_of(schema: str) -> str:
    """Name the Postgres role that may touch one tenant's schema and nothing else."""
    return f"tenant_{schema}"


def switch_statement(schemas: list[str], role: str | None) -> str:
    """Write the one statement that moves a session to a schema and its role."""
    path = sql.SQL(", ").join(sql.Identifier(name) for name in schemas)
    wall = sql.SQL("NONE") if role is None else sql.Identifier(role)
    return sql.SQL("SET search_path = {}; SET ROLE {}").format(path, wall).as_string(None)


def was_ended(link: psycopg.Connection) -> bool:
    """Tell whether the server ended an idle session, by what has come in unasked: no trip to the server."""
    server = link.pgconn
    if server.status == ConnStatus.BAD or server.socket < 0:
        return True
    # poll, not select: a process may hold more than 1,024 descriptors.
    asked = select.poll()
    asked.register(server.socket, select.POLLIN)
    try:
        # First the server's last words, then the end itself. A notice may come in unasked too; then the session lives.
        while asked.poll(0):
            server.consume_input()
    except psycopg.OperationalError:
        return True
    return False


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that knows which tenant it serves, and where its session stands.

    A session that already stands in the tenant of the request is not moved again. Whatever may have moved it, a
    rollback or a new connection, makes it forget where it stands.
    """

    standing: tuple[str, object] | None = None
    search_path_set_schemas: list[str] | None
    _setting_search_path: bool

    def close(self) -> None:
        """Forget where the session stood."""
        self.standing = None
        super().close()

    def close_if_unusable_or_obsolete(self) -> None:
        """Let go of a session that ended between two requests too, so that the next one begins with a new one.

        Django notices only when a statement fails: after a restart of Postgres each thread's first request would fail.
        """
        if self.connection is not None and not self.in_atomic_block and was_ended(self.connection):
            self.close()
            return
        super().close_if_unusable_or_obsolete()

    def rollback(self) -> None:
        """Forget it as well: a rollback undoes a SET."""
        self.standing = None
        super().rollback()

    def savepoint_rollback(self, sid: str) -> None:
        """Forget it as well: so does a rollback to a savepoint."""
        self.standing = None
        super().savepoint_rollback(sid)

    def get_new_connection(self, conn_params):  # type: ignore[no-untyped-def]
        """Begin with a session that stands nowhere."""
        self.standing = None
        made = super().get_new_connection(conn_params)
        silence.watch(made)
        return made

    def _handle_search_path(self, cursor: Any = None) -> None:
        if self._setting_search_path or self.search_path_set_schemas:
            return
        if not self.schema_name:
            raise ImproperlyConfigured("no tenant was chosen for this connection")
        if self.connection.info.transaction_status == TransactionStatus.INERROR:
            # Postgres refuses everything but ROLLBACK now, and the switch comes again after it.
            return
        # A tenant made anew under an old name has a new role, so its id is part of where the session stands.
        place = (self.schema_name, getattr(self.tenant, "pk", None))
        if self.standing == place:
            self.search_path_set_schemas = self._get_cursor_search_paths()
            return
        paths = self._get_cursor_search_paths()
        walled = settings.TENANT_ROLES and self.schema_name != PUBLIC
        statement = switch_statement(paths, role_of(self.schema_name) if walled else None)
        self._setting_search_path = True
        try:
            self._send(statement, cursor)
            self.search_path_set_schemas = paths
            self.standing = place
        finally:
            self._setting_search_path = False

    def _send(self, statement: str, cursor: Any) -> None:
        if cursor is not None:
            cursor.execute(statement)
            return
        with self.wrap_database_errors, self.connection.cursor() as own:
            own.execute(statement)
