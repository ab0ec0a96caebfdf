"""Large bodies are understood one after the other, and small ones wait for none of them."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory

from maestro import limits
from maestro.api.parsers import read_body
from maestro.errors import TooLarge
from maestro.http.edge import EdgeMiddleware
from maestro.http.heavy import LARGE_BYTES, Busy, Streams, Turn, turn

LARGE = json.dumps({"name": "x" * (LARGE_BYTES + 1)}).encode()


def asked(body: bytes) -> HttpRequest:
    return RequestFactory().post("/api/v1/projects/", data=body, content_type="application/json")


def elsewhere(work: Any) -> Any:
    """What a piece of work returns in a thread of its own."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


def test_a_large_body_is_read_whole_and_has_the_turn_until_it_is_answered(settings: Any) -> None:
    settings.PATIENCE = settings.PATIENCE | {"turn": 0}
    read: list[bytes] = []

    def view(request: HttpRequest) -> HttpResponse:
        read.append(read_body(request))
        with pytest.raises(Busy):
            elsewhere(lambda: read_body(asked(LARGE)))
        read.append(elsewhere(lambda: read_body(asked(b"{}"))))
        return HttpResponse()

    EdgeMiddleware(view)(asked(LARGE))
    assert read == [LARGE, b"{}"]
    assert (
        elsewhere(lambda: EdgeMiddleware(lambda request: HttpResponse(read_body(request)))(asked(LARGE))).content
        == LARGE
    )


def test_the_turn_ends_though_the_view_fails(settings: Any) -> None:
    settings.PATIENCE = settings.PATIENCE | {"turn": 0}

    def view(request: HttpRequest) -> HttpResponse:
        read_body(request)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        EdgeMiddleware(view)(asked(LARGE))
    # Nobody has it, so that it can be had at once.
    turn.take()
    turn.end()


def test_who_waits_gets_the_turn_next() -> None:
    one, began, order = Turn(), threading.Event(), []
    one.take()
    one.take()

    def second() -> None:
        began.set()
        one.take()
        order.append("second")
        one.end()

    thread = threading.Thread(target=second)
    thread.start()
    began.wait()
    order.append("first")
    one.end()
    thread.join()
    one.end()
    assert order == ["first", "second"]


def test_a_slow_large_body_holds_nobody_up_while_it_comes_in(settings: Any) -> None:
    settings.PATIENCE = settings.PATIENCE | {"turn": 0}

    class Slow(io.BytesIO):
        """Lets another large request by between two of its pieces."""

        def read(self, size: int | None = -1, /) -> bytes:
            elsewhere(lambda: EdgeMiddleware(lambda request: HttpResponse(read_body(request)))(asked(LARGE)))
            return super().read(size)

    request = asked(LARGE)
    request._stream = Slow(LARGE)  # type: ignore[attr-defined]
    assert EdgeMiddleware(lambda request: HttpResponse(read_body(request)))(request).content == LARGE


def test_a_body_that_is_larger_than_it_may_be_is_refused() -> None:
    with pytest.raises(TooLarge):
        read_body(asked(LARGE), LARGE_BYTES + 1)
    assert limits.JSON_BODY_BYTES > LARGE_BYTES


@pytest.mark.parametrize(
    ("threads", "most", "of_one"), [(1, 1, 1), (2, 1, 1), (3, 1, 1), (4, 2, 1), (8, 5, 4), (64, 40, 39)]
)
def test_threads_stay_free_of_long_answers(threads: int, most: int, of_one: int) -> None:
    streams = Streams(threads)
    assert threads == 1 or most < threads
    ends = [streams.begin("acme") for _ in range(of_one)]
    with pytest.raises(Busy):
        streams.begin("acme")
    ends += [streams.begin("globex") for _ in range(most - of_one)]
    with pytest.raises(Busy):
        streams.begin("globex")
    for end in [*ends, *ends]:
        end()
    assert streams.begin("acme")
