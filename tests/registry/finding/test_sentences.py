"""The model of sentences that an optional package carries: the numbers that its makers publish, and the same each time."""

import pytest

from apps.registry.finding import sentences

SAID = ("The weather is lovely today.", "It's so sunny outside!", "He drove to the stadium.")
# The similarities that Sentence Transformers' page shows for this model and these sentences.
PUBLISHED = {(0, 1): 0.6660, (0, 2): 0.1046, (1, 2): 0.1411}


def nearness(one: list[float], two: list[float]) -> float:
    return sum(a * b for a, b in zip(one, two, strict=True))


def test_the_model_says_what_its_makers_publish() -> None:
    vectors = [sentences.encoder().encode(text) for text in SAID]
    assert {len(vector) for vector in vectors} == {sentences.DIMENSIONS}
    assert [nearness(vector, vector) for vector in vectors] == pytest.approx([1, 1, 1])
    for (one, two), published in PUBLISHED.items():
        assert nearness(vectors[one], vectors[two]) == pytest.approx(published, abs=5e-4)


@pytest.mark.parametrize("text", ["", " ", "word " * 5000, "\U0001f4a9" * 50, "نص عربي", "<script>", "[MASK] [PAD]"])
def test_any_text_becomes_a_vector_of_length_one(text: str) -> None:
    vector = sentences.encoder().encode(text)
    assert nearness(vector, vector) == pytest.approx(1)


def test_without_its_packages_it_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sentences.is_installed()
    monkeypatch.setattr(sentences, "NEEDS", ("no_such_package_anywhere",))
    assert not sentences.is_installed()
