"""A server that is told things by webhook: it answers as a test says, and keeps what it was sent, byte for byte."""

import base64
import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from uuid import UUID

from django.utils import timezone

from apps.tracking.models import Project, Telling, Webhook
from apps.tracking.notices import sending, webhooks
from apps.tracking.notices.webhooks import Issued, NewWebhook
from maestro.principals import Actor

BOSS = Actor("test:boss", "admin")
numbers = itertools.count(1)


@dataclass
class Received:
    """A request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def said(self) -> Any:
        return json.loads(self.body)


@dataclass
class Receiver:
    """A server's address and what it got; `status` and `headers` are what it answers, `extra` bytes of body."""

    url: str = ""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    extra: int = 0
    got: list[Received] = field(default_factory=list)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """Start a server on this machine, which an operator has to open the way to."""
    told = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.got.append(Received(self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(told.status)
            for name, value in told.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(told.extra))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(b"x" * told.extra)

        do_GET = do_POST  # noqa: N815 the library names it

        def log_message(self, format: str, *args: Any) -> None:
            """Stay quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    told.url = f"http://127.0.0.1:{server.server_port}/hook"
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


def listen(url: str, *events: str, project: Project | None = None, **facts: Any) -> Issued:
    """Have an address told of some events."""
    return webhooks.make(NewWebhook(f"hook {next(numbers)}", url, events, **facts), project, by=BOSS)


def send_all(at: datetime | None = None) -> list[str]:
    """Do what the worker does: spread what happened, and send what is due. Says what became of each."""
    at = at or timezone.now()
    sending.spread(at)
    due: list[UUID] = list(sending.due(at).order_by("notice_id").values_list("pk", flat=True))
    return [sending.send(one, at) for one in due]


def verified(secret: str, one: Received) -> bool:
    """Say whether a request is signed by a secret, as the text of Standard Webhooks has it."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    text = f"{one.headers['webhook-id']}.{one.headers['webhook-timestamp']}.".encode() + one.body
    right = f"v1,{base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()}"
    return right in one.headers["webhook-signature"].split(" ")


def log_of(row: Webhook) -> list[Telling]:
    """What a webhook was told, the first first."""
    return list(Telling.objects.filter(webhook=row).select_related("notice").order_by("notice_id"))
