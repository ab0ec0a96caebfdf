"""A corpus of artifacts and a hundred judged queries, and how many of these a way of searching answers in its first five.

Used by `python -m bench.search` and by the test that keeps the product above a floor.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.contrib.postgres.search import TrigramSimilarity
from django.db.models.expressions import RawSQL

from apps.registry.finding import meaning
from apps.registry.finding.artifacts import Asked, best, query_of
from apps.registry.models import Artifact
from maestro.principals import MAESTRO

FOLDER = Path(__file__).parent
FIRST = 5
Way = Callable[[str], list[str]]


@dataclass(frozen=True)
class Query:
    """A question, of which sort it is, and the artifacts that answer it: any of them in the first five is a hit."""

    sort: str
    text: str
    answers: tuple[str, ...]


def rows(name: str) -> list[dict[str, Any]]:
    """Read a file of JSON lines."""
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]


def queries() -> list[Query]:
    """Read the judged queries."""
    return [Query(row["sort"], row["text"], tuple(row["answers"])) for row in rows("queries.jsonl")]


def fill(*names: str) -> int:
    """Put the corpus, or some of it, into the tenant where this stands. Returns how many artifacts that are."""
    some = [row for row in rows("artifacts.jsonl") if not names or row["name"] in names]
    return len(Artifact.objects.bulk_create(Artifact(**row, created_ms=1, updated_ms=1) for row in some))


def names(found: Iterable[Artifact]) -> list[str]:
    """The names of what was found."""
    return [artifact.name for artifact in found]


def trigram(text: str) -> list[str]:
    """Names that are alike, and nothing else."""
    near = Artifact.objects.annotate(near=TrigramSimilarity("name", text)).filter(near__gte=0.3)
    return names(near.order_by("-near", "name")[:FIRST])


def every_word(text: str) -> list[str]:
    """Full text as Postgres reads what people type into a search: all of the words."""
    fits: Any = RawSQL("words @@ websearch_to_tsquery('english', %s)", [text])
    near: Any = RawSQL("ts_rank_cd(words, websearch_to_tsquery('english', %s))", [text])
    return names(Artifact.objects.annotate(fits=fits, near=near).filter(fits=True).order_by("-near", "name")[:FIRST])


def any_word(text: str) -> list[str]:
    """Full text with any of the words."""
    words = query_of(text)
    fits: Any = RawSQL("words @@ to_tsquery('english', %s)", [words])
    near: Any = RawSQL("ts_rank_cd(words, to_tsquery('english', %s))", [words])
    return names(Artifact.objects.annotate(fits=fits, near=near).filter(fits=True).order_by("-near", "name")[:FIRST])


def ours(text: str) -> list[str]:
    """The search of the product."""
    return names(best(MAESTRO, Asked(text), FIRST))


def by_meaning(text: str) -> list[str]:
    """The search of the product where the optional extra is installed and the question was read."""
    return names(best(MAESTRO, Asked(text), FIRST, vector=meaning.vector_of(text)))


WAYS: dict[str, Way] = {
    "trigram on names": trigram,
    "full text, every word": every_word,
    "full text, any word": any_word,
    "the product's": ours,
}


def hits(way: Way, asked: Iterable[Query]) -> list[Query]:
    """The queries that a way answers in its first five."""
    return [query for query in asked if set(way(query.text)[:FIRST]) & set(query.answers)]
