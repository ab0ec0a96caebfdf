"""The real servers: closed without a password, with the rights that the application needs and no more."""

import http.server
import ssl
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError

from maestro.embedded import bootstrap
from maestro.embedded.errors import CannotStart
from maestro.embedded.ports import HOST
from maestro.embedded.programs import binaries, postgres, valkey
from tests import servers
from tests.patience import ANSWER_SECONDS


def one(dsn: str, query: str) -> object:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[0]


def test_postgres_lets_nobody_in_without_the_password() -> None:
    server = servers.start_postgres()
    for dsn in (server.dsn_super, server.dsn_app):
        wrong = dsn.replace(":" + dsn.split(":")[2].split("@")[0], ":wrong")
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(wrong)


def test_the_application_owns_nothing_inherits_nothing_and_makes_nothing() -> None:
    server = servers.start_postgres()
    rights = "SELECT array[rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolbypassrls] FROM pg_roles WHERE rolname = current_user"
    assert one(server.dsn_app, rights) == [False] * 5
    for statement in ("CREATE SCHEMA mine", "CREATE TABLE public.mine (a int)", "CREATE ROLE mine"):
        with psycopg.connect(server.dsn_app) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute(statement)


def test_the_owner_makes_schemas_and_roles_and_is_no_superuser() -> None:
    dsn = servers.start_postgres().dsn_owner
    assert one(dsn, "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user") is False
    with psycopg.connect(dsn) as connection:
        connection.execute("CREATE ROLE t_probe NOLOGIN")
        connection.execute("CREATE SCHEMA t_probe")
        connection.execute("GRANT t_probe TO maestro_app")
        connection.rollback()


def test_bootstrap_may_run_again_and_sets_the_passwords() -> None:
    server = servers.start_postgres()
    passwords = bootstrap.Passwords(owner=server.passwords[bootstrap.OWNER], app=server.passwords[bootstrap.APP])
    for _ in range(2):
        bootstrap.ensure_roles(server.dsn_super, passwords)
        bootstrap.ensure_database(server.dsn_super)
    assert one(server.dsn_app, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_trgm'") == 1


def test_a_clone_is_a_copy_and_replaces_an_older_one() -> None:
    server = servers.start_postgres()
    servers.create_database("clone_source")
    with psycopg.connect(server.dsn(bootstrap.OWNER, "clone_source")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    for _ in range(2):
        servers.clone_database("clone_source", "clone_target")
        dsn = server.dsn(bootstrap.OWNER, "clone_target")
        assert one(dsn, "SELECT answer FROM kept") == 42
        with psycopg.connect(dsn) as connection:
            connection.execute("UPDATE kept SET answer = 0")


def test_other_secrets_are_refused_with_the_way_out() -> None:
    server = servers.start_postgres()
    cluster = postgres.Cluster(Path("/"), Path("/"), server.port, "wrong", None)
    with pytest.raises(CannotStart, match="make demo-reset"):
        postgres.accepts(cluster)
    assert postgres.accepts(replace(cluster, port=1)) is False


@pytest.mark.parametrize(("pid", "stays"), [("1", False), ("4194303", False), ("nonsense", True), ("", True)])
def test_a_lock_of_postgres_is_removed_if_its_process_is_another(tmp_path: Path, pid: str, stays: bool) -> None:
    (tmp_path / "postmaster.pid").write_text(f"{pid}\n{tmp_path}\n")
    postgres.clear_stale_lock(postgres.Cluster(Path("/"), tmp_path, 1, "", None))
    assert (tmp_path / "postmaster.pid").exists() is stays


def test_a_postgres_that_runs_is_not_robbed_of_its_lock(tmp_path: Path) -> None:
    code = "import time; time.sleep(600)"
    with subprocess.Popen([sys.executable, "-S", "-c", code, str(tmp_path)]) as other:
        (tmp_path / "postmaster.pid").write_text(f"{other.pid}\n")
        with pytest.raises(CannotStart, match=f"process {other.pid}"):
            postgres.clear_stale_lock(postgres.Cluster(Path("/"), tmp_path, 1, "", None))
        other.kill()


def test_data_of_another_version_is_refused(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("14\n")
    cluster = postgres.Cluster(binaries.postgres_folder(None, tmp_path), tmp_path, 1, "", None)
    with pytest.raises(CannotStart, match=r"of Postgres 14, the installed one is \d+.*make demo-reset"):
        postgres.check_version(cluster)


def test_valkey_answers_to_its_password_alone() -> None:
    address = servers.start_valkey()
    password, port = address.split(":")[2].split("@")[0], int(address.split(":")[3].split("/")[0])
    assert valkey.pong(port, password) is True
    assert valkey.pong(port, "wrong") is False
    assert valkey.pong(1, password) is False


@pytest.mark.s3
def test_s3_refuses_a_wrong_secret_and_a_wrong_checksum() -> None:
    access = servers.start_s3()
    client = access.client()
    client.create_bucket(Bucket="walls")
    client.put_object(Bucket="walls", Key="a", Body=b"bytes")
    with pytest.raises(ClientError, match=r"403|Forbidden|SignatureDoesNotMatch"):
        replace(access, secret_key="wrong").client().get_object(Bucket="walls", Key="a")
    with pytest.raises(ClientError, match="BadDigest"):
        client.put_object(Bucket="walls", Key="b", Body=b"bytes", ChecksumSHA256="A" * 43 + "=")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(f"{access.endpoint}/walls/a", timeout=ANSWER_SECONDS)


@pytest.fixture
def upstream() -> Iterator[int]:
    """A web server that answers 501 to POST and 404 or a listing to GET."""
    server = http.server.ThreadingHTTPServer((HOST, 0), http.server.BaseHTTPRequestHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.mark.slow
def test_the_tls_proxy_verifies_by_its_own_authority_alone(upstream: int) -> None:
    proxy = servers.start_caddy(upstream)
    url = f"https://localhost:{proxy.port}/"
    trusting = ssl.create_default_context(cafile=proxy.authority)
    with pytest.raises(urllib.error.HTTPError, match="501"):
        urllib.request.urlopen(url, context=trusting, timeout=ANSWER_SECONDS)
    with pytest.raises(urllib.error.URLError, match="CERTIFICATE_VERIFY_FAILED"):
        urllib.request.urlopen(url, timeout=ANSWER_SECONDS)
