"""Floor: Postgres and Valkey for a home, up and ready, and their addresses in server.env."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from maestro.embedded import bootstrap
from maestro.embedded.home import Home, read_env, write_env
from maestro.embedded.ports import same_or_free
from maestro.embedded.programs import binaries, postgres, valkey
from maestro.embedded.supervisor import Supervisor


@dataclass(frozen=True)
class Addresses:
    """Ports of the last run, kept if they are still free."""

    postgres: int
    valkey: int


def start_servers(home: Home, supervisor: Supervisor) -> dict[str, str]:
    """Start Postgres and Valkey, make roles and database, write server.env. Returns what it says."""
    secrets = home.secrets()
    ports = choose_ports(home)
    programs = home.data / "programs"
    valkey_program = valkey.program(
        binaries.valkey_program(home.account, programs),
        home.data / "valkey",
        port=ports.valkey,
        password=secrets.valkey,
        log=home.log("valkey"),
        account=home.account,
        durable=True,
    )
    queue = supervisor.launch(valkey_program)
    cluster = start_postgres(home, supervisor, ports.postgres)
    supervisor.await_ready(queue)
    bootstrap.ensure_roles(cluster.superuser_dsn(), bootstrap.Passwords(owner=secrets.owner, app=secrets.app))
    bootstrap.ensure_database(cluster.superuser_dsn())
    values = {
        "MAESTRO_DATABASE_URL": cluster.dsn(bootstrap.APP, secrets.app, bootstrap.DATABASE),
        "MAESTRO_OWNER_DATABASE_URL": cluster.dsn(bootstrap.OWNER, secrets.owner, bootstrap.DATABASE),
        "MAESTRO_REDIS_URL": valkey.url(ports.valkey, secrets.valkey),
        "MAESTRO_SECRET_KEY": secrets.secret_key,
        "MAESTRO_KEY_PEPPER": secrets.key_pepper,
        "MAESTRO_METRICS_TOKEN": secrets.metrics_token,
        "MAESTRO_BASE_HOST": "localhost",
        "MAESTRO_STORAGE": home.storage.as_uri(),
        "MAESTRO_DEBUG": "0",
    }
    write_env(home.server_env, values)
    return values


def start_postgres(home: Home, supervisor: Supervisor, port: int) -> postgres.Cluster:
    """Make the cluster on first use, and start it."""
    cluster = postgres.Cluster(
        programs=binaries.postgres_folder(home.account, home.data / "programs"),
        data=home.data / "postgres",
        port=port,
        password=home.secrets().postgres,
        account=home.account,
    )
    if not cluster.exists():
        supervisor.say("making the database's folder (once)")
        postgres.create(cluster, home.log("initdb"), supervisor.run_program)
    postgres.check_owner(cluster)
    postgres.clear_stale_lock(cluster)
    supervisor.start(postgres.program(cluster, home.log("postgres"), settings={}))
    return cluster


def choose_ports(home: Home) -> Addresses:
    """Keep the ports of the last run, so that a shell that read server.env stays right."""
    known = read_env(home.server_env)
    found = []
    for name in ("MAESTRO_DATABASE_URL", "MAESTRO_REDIS_URL"):
        last = urlsplit(known.get(name, "")).port
        port = same_or_free(last)
        while port in found:
            port = same_or_free(None)
        found.append(port)
    return Addresses(postgres=found[0], valkey=found[1])
