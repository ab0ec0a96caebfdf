"""The floor: what a pooled connection forgets before somebody else takes it."""

import psycopg


def forget_tenant(connection: psycopg.Connection) -> None:
    """Leave a pooled connection with no role and no path."""
    connection.autocommit = True
    connection.execute("RESET ROLE; RESET search_path")
