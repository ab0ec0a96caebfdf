"""The floor: the base of every MLflow view: strict fields in, lean JSON out, errors in MLflow's words.

DRF's APIView costs more than most of these calls do, so this is a plain view that uses DRF's settings for who
may enter: the same authentication and throttle classes, the same `required_role`.
"""

import re
from functools import lru_cache
from typing import Any, ClassVar

import orjson
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views import View
from rest_framework.settings import api_settings

from maestro import limits
from maestro.api import json
from maestro.api.errors import as_refusal
from maestro.api.parsers import most_bytes, read_body
from maestro.api.permissions import admit, asking, beyond_reach, role_for
from maestro.errors import Fault, Invalid, TooMany, UnsupportedMedia
from maestro.mlflow.answers import json_response
from maestro.mlflow.errors import endpoint_not_found, mlflow_response
from maestro.mlflow.wording import NO_WORDS
from maestro.principals import Principal

CAMEL = re.compile(r"(?<=[a-z0-9])([A-Z])")


@lru_cache(maxsize=1)
def authenticators() -> tuple[Any, ...]:
    """Make the authentication classes of settings once a process; they keep no state of a request."""
    kinds: Any = api_settings.DEFAULT_AUTHENTICATION_CLASSES
    return tuple(kind() for kind in kinds)


class MlflowRequest(HttpRequest):
    """A request that was let in: `user` is who asks. (For types only: Django makes the requests.)"""

    user: Principal  # type: ignore[assignment]
    auth: str


class MlflowView(View):
    """One call of the MLflow protocol. Handlers return plain dicts, bytes of JSON, or any HttpResponse."""

    offered: frozenset[str] = frozenset()
    most_items: ClassVar[int] = limits.JSON_ITEMS
    # What a room's door says in words of its own.
    words: ClassVar[dict[tuple[str, ...], str]] = NO_WORDS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:  # type: ignore[override]
        """Let in, call the handler, and answer in MLflow's format whatever happens."""
        try:
            self.admit(request)
            handler = getattr(self, (request.method or "GET").lower(), None)
            if handler is None or request.method not in self.offered:
                return endpoint_not_found(request)  # type: ignore[no-any-return]
            answer = handler(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001 as_refusal logs what nobody foresaw
            return mlflow_response(as_refusal(beyond_reach(request, error)), self.words)
        return answer if isinstance(answer, HttpResponseBase) else json_response(answer)  # type: ignore[return-value]

    @classmethod
    def as_view(cls, **initkwargs: Any) -> Any:
        """Make the view function. Keys are never sent by a browser on its own, so no CSRF token is asked for."""
        view = super().as_view(**initkwargs)
        view.csrf_exempt = True  # type: ignore[attr-defined]
        cls.offered = frozenset(name.upper() for name in cls.http_method_names if hasattr(cls, name)) - {"OPTIONS"}
        return view

    def admit(self, request: HttpRequest) -> None:
        """Find out who asks and whether they may. Raises Unauthenticated, Forbidden or TooMany."""
        request._request = request  # type: ignore[attr-defined]  # authentication classes look for it
        request.user = None  # type: ignore[assignment]
        for authenticator in authenticators():
            found = authenticator.authenticate(request)
            if found is not None:
                request.user, request.auth = found  # type: ignore[attr-defined]
                break
        needed = self.role_needed(request)
        if needed is not None:
            request.user = admit(asking(request), needed, self)  # type: ignore[assignment]
        throttles: Any = api_settings.DEFAULT_THROTTLE_CLASSES
        for throttle in throttles:
            limiter = throttle()
            if not limiter.allow_request(request, self):
                raise TooMany("too many requests", retry_after=int(limiter.wait() or 1) + 1)

    def role_needed(self, request: HttpRequest) -> str | None:
        """Look up the role; a method that the view lacks is answered as unknown, not as forbidden."""
        if request.method not in self.offered:
            return None
        return role_for(self, request.method or "GET")

    def fields(self, request: HttpRequest) -> dict[str, Any]:
        """Read the call's fields: the JSON body, or the query for GET. camelCase becomes snake_case."""
        if request.method == "GET":
            return read_query(request)
        return read_fields(self.body(request), self.most_items)

    def body(self, request: HttpRequest) -> bytes:
        """Read the whole body. Raises UnsupportedMedia unless it says that it is JSON."""
        body = read_body(request, most_bytes(self, request.method or "POST"))
        if body and request.META.get("CONTENT_TYPE", "").partition(";")[0].strip().lower() != "application/json":
            raise UnsupportedMedia("send the body as application/json")
        return body


def read_fields(body: bytes, most_items: int = limits.JSON_ITEMS) -> dict[str, Any]:
    """Read a body as one strict JSON object; JSON inside a JSON string is read once more."""
    document = json.loads(body, most_items) if body.strip() else {}
    if isinstance(document, str):
        document = json.loads(document.encode(), most_items)
    if not isinstance(document, dict):
        raise Invalid("the body must be a JSON object", "bad_json")
    return snake_case(document)


def read_query(request: HttpRequest) -> dict[str, Any]:
    """Read query parameters; a repeated one becomes a list."""
    fields = {name: values if len(values) > 1 else values[0] for name, values in request.GET.lists()}
    json.check_text(fields)
    return snake_case(fields)


def snake_case(document: dict[str, Any]) -> dict[str, Any]:
    """Fold camelCase names of one level. Raises Invalid if both spellings are there."""
    folded: dict[str, Any] = {}
    for name, value in document.items():
        plain = name if name.islower() else CAMEL.sub(lambda match: "_" + match[1].lower(), name)
        if plain in folded:
            detail = f"{plain} is given twice, in two spellings"
            raise Invalid(detail, "duplicate_key", faults=[Fault(f"/{plain}", "duplicate_key", detail)])
        folded[plain] = value
    return folded


def dump(body: Any) -> bytes:
    """Write JSON bytes."""
    return orjson.dumps(body)
