"""Facts at the head of a card."""

import pytest

from apps.registry.cards import Card, read

HUB = """---
license: apache-2.0
language:
- en
- de
tags: [tabular, "churn"]
base_model: 'org/base'
model-index:
- name: x
  results:
  - task: {type: t}
---
# A model

It predicts.
"""


def test_a_card_of_the_hub_is_read() -> None:
    card = read(HUB)
    assert card.facts == {
        "license": "apache-2.0",
        "language": "en, de",
        "tags": "tabular, churn",
        "base model": "org/base",
        "results": "3 lines",
    }
    assert card.body.startswith("# A model")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# plain",
        "---",
        "---\nlicense: mit\n",
        "---\nno list of keys\n---\nx",
        "--- \n",
        "---\n---\nx",
        "a\n---\nb: c\n---",
    ],
)
def test_what_is_no_head_is_text(text: str) -> None:
    assert read(text) == Card(text)


def test_a_long_head_is_cut() -> None:
    text = "---\n" + "\n".join(f"key{n}: {'v' * 2_000}" for n in range(400)) + "\n---\nbody"
    card = read(text)
    assert (len(card.facts), card.body) == (50, "body")
    assert all(len(value) == 500 for value in card.facts.values())
