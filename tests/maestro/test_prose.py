"""Markdown that people wrote: rendered up to a length, and nothing in it makes much of little."""

import time

import pytest

from maestro import limits
from maestro.prose import rendered

N = limits.MARKDOWN_CHARS
HOSTILE = {
    "a wide table": "|a" * (N // 8) + "\n" + "|-" * (N // 8) + "\n" + "a\n" * (N // 4),
    "brackets": "[" * N,
    "pictures": "![" * (N // 2),
    "quotes": ">" * (N // 2) + "a\n" * (N // 4),
    "emphasis": "*a_" * (N // 3),
    "ticks": "".join("`" * n + " " for n in range(1, int((2 * N) ** 0.5))),
    "links": "[a](b" * (N // 5),
    "references": "".join(f"[a{n}]: b\n" for n in range(N // 10)),
    "lists": "- " * (N // 2),
    "no line at all": "x" * 5 * N,
}


def cost(text: str) -> float:
    begin = time.process_time()
    rendered(text)
    return time.process_time() - begin


@pytest.mark.parametrize("name", HOSTILE)
def test_no_text_costs_more_than_its_length(name: str) -> None:
    plain = min(cost("a plain line of words\n\n" * (N // 23)) for _ in range(3))
    assert min(cost(HOSTILE[name]) for _ in range(3)) < 40 * plain + 0.05
    assert len(rendered(HOSTILE[name])) < 12 * len(HOSTILE[name]) + 1_000


def test_a_long_text_is_rendered_as_far_as_its_bound_and_then_shown_as_written() -> None:
    text = "**bold** line\n\n" * (N // 8)
    page = str(rendered(text))
    assert page.count("<strong>") == text[:N].count("**bold** line\n\n") or page.count("<strong>") > N // 20
    assert "The rest is shown as it was written" in page
    assert page.endswith("**bold** line\n\n</pre>")
    assert "<script" not in rendered("<script>" + "x" * N + "<script>alert(1)</script>")


def test_a_short_text_is_rendered_whole() -> None:
    assert rendered("| a |\n|---|\n| **b** |") == (
        "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n"
        "<td><strong>b</strong></td>\n</tr>\n</tbody>\n</table>\n"
    )
