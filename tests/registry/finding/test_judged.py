"""The product's search on the judged queries of bench/search: never below what it reached, and never below simpler ways."""

import pytest

from apps.tenants.models import Tenant
from bench.search import judging

# The share of queries whose first five hold an answer, as bench/results/search.md has it, less one query of the last sort.
FLOORS = {"name": 1.0, "typo": 1.0, "words": 1.0, "meaning": 0.46}


@pytest.fixture
def corpus(acme: Tenant) -> list[judging.Query]:
    judging.fill()
    return judging.queries()


def test_the_judged_queries_are_a_hundred_and_name_what_is_there(corpus: list[judging.Query]) -> None:
    known = {row["name"] for row in judging.rows("artifacts.jsonl")}
    assert len({query.text for query in corpus}) == 100
    assert all(query.answers and known.issuperset(query.answers) for query in corpus)


def test_the_first_five_hold_an_answer_as_often_as_they_did(corpus: list[judging.Query]) -> None:
    found = judging.hits(judging.ours, corpus)
    for sort, floor in FLOORS.items():
        asked = [query for query in corpus if query.sort == sort]
        share = sum(query.sort == sort for query in found) / len(asked)
        assert share >= floor, (sort, share, [query.text for query in asked if query not in found])
    others = [judging.hits(way, corpus) for way in judging.WAYS.values() if way is not judging.ours]
    assert len(found) >= max(map(len, others))
