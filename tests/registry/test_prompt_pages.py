"""A prompt's pages: the template, its blanks, what changed between two versions; hostile text and odd addresses."""

import time
from collections.abc import Callable
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from apps.registry import prompts
from apps.registry.admin.prompts import LINES_MOST, card, compared
from tests.browser.traced import HOSTILE
from tests.factories.scene import Scene

PersonFor = Callable[[str], Client]


def address(scene: Scene, query: str = "") -> str:
    assert scene.prompt is not None
    return f"/admin/registry/artifact/{scene.prompt.artifact_id}/change/{query}"


def test_the_page_shows_the_template_its_blanks_and_the_last_change(scene: Scene, person: PersonFor) -> None:
    html = unescape(person("viewer").get(address(scene)).content.decode())
    for told in (
        "Template of v2",
        "system",
        "Be kind.",
        "customer.name",
        "product",
        "Response format",
        "prompts:/churn-letter/2",
    ):
        assert told in html, told
    assert "<del>− Be {{ mood }}.</del" in html
    assert f"<ins>+ Be kind. {HOSTILE}</ins" in html


def test_hostile_text_in_a_template_stays_text(scene: Scene, person: PersonFor) -> None:
    assert scene.prompt is not None
    viewer = person("viewer")
    for path in (address(scene), f"/admin/registry/artifactversion/{scene.prompt.pk}/change/"):
        answer = viewer.get(path)
        assert answer.status_code == 200
        assert HOSTILE not in answer.content.decode()


def test_any_two_versions_are_compared_and_odd_numbers_answered(scene: Scene, person: PersonFor) -> None:
    viewer = person("viewer")
    back = unescape(viewer.get(address(scene, "?old=2&new=1")).content.decode())
    assert "<ins>+ Be {{ mood }}.</ins" in back
    for query in (
        "?old=1&new=1",
        "?old=9&new=8",
        "?old=x&new=-1",
        "?old=1&old=2",
        f"?new={'9' * 30}",
        "?new=٣",
    ):
        assert viewer.get(address(scene, query)).status_code == 200, query
    assert viewer.get(address(scene, "?old=%00")).status_code == 400
    assert (
        "What changed" not in viewer.get(f"/admin/registry/artifact/{scene.artifacts[0].pk}/change/").content.decode()
    )


def test_the_page_costs_a_fixed_number_of_queries(scene: Scene, person: PersonFor) -> None:
    viewer = person("viewer")
    viewer.get(address(scene))
    with CaptureQueriesContext(connection) as asked:
        answer = viewer.get(address(scene))
    assert len(asked) <= 16, [one["sql"][:80] for one in asked]
    assert len(answer.content) < 150_000


def test_a_long_template_is_cut_and_a_long_comparison_refused() -> None:
    long = card(prompts.Template("x" * 100_000))
    assert (len(long["text"]), long["is_cut"]) == (20_000, True)
    many = card(
        prompts.Template("[" + ",".join(['{"role": "user", "content": "' + "x" * 99 + '"}'] * 900) + "]", is_chat=True)
    )
    assert many["is_cut"]
    assert sum(len(one.content) for one in many["messages"]) <= 20_000
    lines = prompts.Template("\n".join(map(str, range(LINES_MOST + 1))))
    assert compared(lines, lines) == {"is_long": True, "lines_most": LINES_MOST}


@pytest.mark.parametrize("one", ["a\nb\n" * 200, "\n".join("a" * (1 + i % 7) for i in range(400)), "\n" * 400])
def test_a_comparison_has_a_bounded_cost(one: str) -> None:
    other = "\n".join(reversed(one.splitlines()))
    began = time.process_time()
    compared(prompts.Template(one or "x"), prompts.Template("y\n" + other))
    assert time.process_time() - began < 0.25
