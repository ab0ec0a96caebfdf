"""The access room: a POST repeated with the same Idempotency-Key is answered once and done once.

The change and its answer are one transaction, so a crash leaves neither; while it runs, the reserved row is
locked, which is how a second request knows that the first is still at work. What takes long and may be done twice, as
bringing bytes into the store, a view does before, in `prepare`.

Source  IETF draft-ietf-httpapi-idempotency-key-header
"""

import hashlib
import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import QuerySet
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from apps.tenants.access.models import IdempotentRequest
from maestro.api.parsers import most_bytes, read_body
from maestro.api.permissions import asking
from maestro.errors import Conflict, Invalid, MaestroError

KEEP = timedelta(hours=24)
KEY = re.compile(r"[\x21-\x7e]{1,200}")
MOST_ROUTE = 300
REPEATED = ("Location", "ETag")
Handler = Callable[..., Response]
Preparation = Callable[..., None]

RESERVE = """
INSERT INTO access_idempotentrequest (principal, route, key, body_sha256, headers, created_at)
VALUES (%s, %s, %s, %s, '{}', %s)
ON CONFLICT (principal, route, key) DO NOTHING
"""


class KeyReused(MaestroError):
    """An Idempotency-Key came again with another body."""

    status = 422
    code = "idempotency_key_reused"


class StillRunning(Conflict):
    """The first request with this key is still at work."""

    code = "idempotency_in_progress"


class IdempotentPosts:
    """A mixin for DRF views, before the view's own base: every POST honours `Idempotency-Key`.

    Set `idempotency_required = True` where a POST without a key is refused with 400. A view's `prepare(request, ...)`, if
    it has one, comes before its `post`, outside of the transaction, unless the answer is there already.
    """

    idempotency_required = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """After authentication and permission, wrap this request's handler."""
        super().initial(request, *args, **kwargs)  # type: ignore[misc]
        if request.method == "POST" and hasattr(self, "post"):
            self.post: Handler = once(self.post, self, required=self.idempotency_required)


def once(handler: Handler, view: Any, *, required: bool = False) -> Handler:
    """Wrap a view's bound handler `post(request, ...)`."""

    def answer(request: Request, *args: Any, **kwargs: Any) -> Response:
        key = key_of(request)
        if key is None and required:
            raise Invalid("this needs the header Idempotency-Key", "idempotency_key_missing")
        prepare: Preparation | None = getattr(view, "prepare", None)
        if key is None:
            if prepare is not None:
                prepare(request, *args, **kwargs)
            return handler(request, *args, **kwargs)
        digest = digest_of_body(request, most_bytes(view, "POST"))
        row = reserve(request, key, digest, timezone.now())
        with given_up_on_error(row):
            if prepare is not None and is_open(row):
                prepare(request, *args, **kwargs)
            return run_once(row, lambda: handler(request, *args, **kwargs))

    return answer


def key_of(request: Request) -> str | None:
    """Read the header. Raises Invalid for one that is not 1 to 200 visible ASCII characters."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is not None and not KEY.fullmatch(key):
        raise Invalid("Idempotency-Key must have 1 to 200 visible ASCII characters", "bad_idempotency_key")
    return key


def digest_of_body(request: Request, most: int) -> bytes:
    """Digest the body, and leave it to be read again by the parser."""
    http: Any = request._request
    body = read_body(http, most)
    http._body, http._stream = body, io.BytesIO(body)
    return hashlib.sha256(http.META.get("QUERY_STRING", "").encode() + b"\0" + body).digest()


def reserve(request: Request, key: str, digest: bytes, at: datetime) -> IdempotentRequest:
    """Note the request before it is served, unless it is noted already. Never waits for a running one."""
    who = asking(request)
    name = f"{who.kind}:{who.id}"
    row = IdempotentRequest(principal=name, route=route_of(request.path), key=key, body_sha256=digest, created_at=at)
    with connection.cursor() as cursor:
        cursor.execute(RESERVE, [row.principal, row.route, row.key, digest, at])
    return row


def route_of(path: str) -> str:
    """Name a request's address in 300 characters: no two addresses have one name, however long they are."""
    return path if len(path) <= MOST_ROUTE else f"{path[:200]} {hashlib.sha256(path.encode()).hexdigest()}"


def rows_like(asked: IdempotentRequest) -> QuerySet[IdempotentRequest]:
    """Find the row of a request, whoever made it."""
    return IdempotentRequest.objects.filter(principal=asked.principal, route=asked.route, key=asked.key)


def is_open(asked: IdempotentRequest) -> bool:
    """Say whether a request is still to be answered, as far as one can see without waiting. Raises KeyReused."""
    row = rows_like(asked).first()
    if row is None or row.created_at < asked.created_at - KEEP:
        return True
    check_same(row, asked)
    return row.status is None


def check_same(row: IdempotentRequest, asked: IdempotentRequest) -> None:
    """Raise KeyReused if a key came with another body before."""
    if bytes(row.body_sha256) != asked.body_sha256:
        raise KeyReused("this Idempotency-Key was used with another request")


@contextmanager
def given_up_on_error(asked: IdempotentRequest) -> Iterator[None]:
    """Let a key be used again, with a mended body too, if the work of its first use failed: nothing was changed then."""
    try:
        yield
    except (StillRunning, KeyReused):
        raise
    except Exception as error:
        rows_like(asked).filter(status=None).delete()
        if isinstance(error, MaestroError):
            for do in error.afterwards:
                do()
        raise


def run_once(asked: IdempotentRequest, work: Callable[[], Response]) -> Response:
    """Do the work under the row's lock, or repeat its answer. Raises StillRunning or KeyReused."""
    with transaction.atomic():
        row = rows_like(asked).select_for_update(skip_locked=True).first()
        if row is None:
            raise StillRunning("a request with this Idempotency-Key is still running; ask again in a moment")
        if row.created_at < asked.created_at - KEEP:
            row.body_sha256, row.status, row.created_at = asked.body_sha256, None, asked.created_at
        check_same(row, asked)
        if row.status is not None:
            return repeat(row)
        response = work()
        keep(row, response)
        return response


def keep(row: IdempotentRequest, response: Response) -> None:
    """Store an answer beside the change that it reports."""
    row.status = response.status_code
    row.answer = JSONRenderer().render(response.data) if response.data is not None else b""
    row.headers = {name: response[name] for name in REPEATED if response.has_header(name)}
    row.save(update_fields=["status", "answer", "headers", "body_sha256", "created_at"])


def repeat(row: IdempotentRequest) -> Response:
    """Answer again what was answered."""
    answer = bytes(row.answer or b"")
    headers = row.headers | {"Idempotency-Replayed": "true"}
    return Response(orjson.loads(answer) if answer else None, status=row.status, headers=headers)


def forget_old(before: datetime) -> int:
    """Delete what was kept longer than 24 hours."""
    return IdempotentRequest.objects.filter(created_at__lt=before).delete()[0]
