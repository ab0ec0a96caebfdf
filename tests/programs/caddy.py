"""A Caddy of our own: TLS for `*.localhost` before the web server, with its own authority."""

import os
import socket
import ssl
from pathlib import Path

from maestro.embedded.accounts import Account, give
from maestro.embedded.ports import HOST
from maestro.embedded.processes import Program

SETTINGS = """{{
    admin off
    skip_install_trust
    auto_https disable_redirects
    storage file_system "{folder}/storage"
}}
https://localhost:{port}, https://*.localhost:{port} {{
    bind {host}
    tls internal {{
        on_demand
    }}
    reverse_proxy {host}:{upstream} {{
        request_buffers 4MiB
    }}
}}
"""


def authority(folder: Path) -> Path:
    """Return the certificate that clients must trust; it is there once the server is up."""
    return folder / "storage/pki/authorities/local/root.crt"


def program(binary: Path, folder: Path, *, port: int, upstream: int, log: Path, account: Account | None) -> Program:
    """Return a proxy from https://*.localhost:port to the web server on `upstream`."""
    folder.mkdir(mode=0o711, exist_ok=True)
    give(folder, account)
    settings = folder / "Caddyfile"
    settings.write_text(SETTINGS.format(folder=folder, host=HOST, port=port, upstream=upstream))
    give(settings, account)
    return Program(
        name="caddy",
        command=[str(binary), "run", "--config", str(settings), "--adapter", "caddyfile"],
        log=log,
        environment={"PATH": os.defpath, "HOME": str(folder), "LANG": "C.UTF-8"},
        is_ready=lambda: shakes_hands(port, authority(folder)),
        account=account,
        ready_seconds=30,
        stop_seconds=3,
        note=f" on https://localhost:{port}",
    )


def shakes_hands(port: int, certificate: Path) -> bool:
    """True if a TLS session verifies against the proxy's own authority."""
    try:
        context = ssl.create_default_context(cafile=str(certificate))
        plain = socket.create_connection((HOST, port), timeout=5)
        with context.wrap_socket(plain, server_hostname="localhost"):
            return True
    except OSError:  # not there yet, or no certificate yet: ssl's errors are OSErrors
        return False
