"""Floor: the roles and the database that Maestro needs in an empty Postgres. May run again at any time."""

from dataclasses import dataclass

import psycopg
from psycopg import sql

OWNER = "maestro_owner"
APP = "maestro_app"
DATABASE = "maestro"
EXTENSIONS = ("pg_trgm",)
# Made where the server has it: artifacts are then found by meaning too, if the packages for that are installed.
OPTIONAL = "vector"


@dataclass(frozen=True)
class Passwords:
    """What the two login roles sign in with."""

    owner: str
    app: str


def ensure_roles(superuser_dsn: str, passwords: Passwords) -> None:
    """Make the roles, or bring them back to what they must be.

    The owner makes schemas and tenant roles; the application's role owns nothing and inherits nothing:
    what it may do comes from the tenant role it switches to.
    """
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        ensure_role(connection, OWNER, passwords.owner, "LOGIN CREATEROLE CREATEDB INHERIT")
        ensure_role(connection, APP, passwords.app, "LOGIN NOCREATEROLE NOCREATEDB NOINHERIT")


def ensure_role(connection: psycopg.Connection, name: str, password: str, rights: str) -> None:
    """Make one role or reset its rights and password."""
    row = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
    statement = sql.SQL("{verb} ROLE {name} NOSUPERUSER NOBYPASSRLS NOREPLICATION {rights} PASSWORD {password}")
    connection.execute(
        statement.format(
            verb=sql.SQL("ALTER" if row else "CREATE"),
            name=sql.Identifier(name),
            rights=sql.SQL(rights),  # type: ignore[arg-type]  # from this module, never from input
            password=sql.Literal(password),
        )
    )


def ensure_database(superuser_dsn: str, name: str = DATABASE) -> None:
    """Make the database, owned by the owner, closed to every other role but the application's."""
    identifier = sql.Identifier(name)
    with psycopg.connect(superuser_dsn, autocommit=True) as connection:
        row = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
        if row is None:
            connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(identifier, sql.Identifier(OWNER)))
        connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(identifier))
        connection.execute(
            sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO {}").format(identifier, sql.Identifier(APP))
        )
    with psycopg.connect(superuser_dsn, dbname=name, autocommit=True) as connection:
        here = connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = %s", [OPTIONAL]).fetchone()
        for extension in (*EXTENSIONS, OPTIONAL) if here else EXTENSIONS:
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {} SCHEMA public").format(sql.Identifier(extension))
            )
