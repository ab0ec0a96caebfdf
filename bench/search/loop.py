"""Fills a tenant and judges, in a process that knows its database by its environment. `python -m bench.search` starts it."""

import statistics
import sys
import time
from collections.abc import Iterator

import django

django.setup()

from django_tenants.utils import tenant_context  # noqa: E402 settings first

from apps.registry.finding import meaning  # noqa: E402
from apps.tenants.provisioning import fetch  # noqa: E402
from bench.search import judging  # noqa: E402


def table(asked: list[judging.Query]) -> Iterator[str]:
    """A row for each way: hits by the sort of query, of all, and the time of a query."""
    sorts = list(dict.fromkeys(query.sort for query in asked))
    counts = {sort: sum(query.sort == sort for query in asked) for sort in sorts}
    heads = [f"{sort} ({count})" for sort, count in counts.items()]
    yield f"| hit@5 | {' | '.join(heads)} | all ({len(asked)}) | ms a query, median |"
    yield "| --- |" + " --- |" * (len(heads) + 2)
    ways = judging.WAYS | ({"the product's, by meaning too": judging.by_meaning} if meaning.is_offered() else {})
    for name, way in ways.items():
        times, found = [], []
        for query in asked:
            begun = time.perf_counter()
            found += judging.hits(way, [query])
            times.append((time.perf_counter() - begun) * 1000)
        shares = [sum(query.sort == sort for query in found) / count for sort, count in counts.items()]
        cells = " | ".join(f"{share:.2f}" for share in shares)
        yield f"| {name} | {cells} | {len(found) / len(asked):.2f} | {statistics.median(times):.1f} |"
        if name.startswith("the product's"):
            missed = [query for query in asked if query not in found]
            print("missed:", *(f"  {query.text} -> {way(query.text)}" for query in missed), sep="\n", file=sys.stderr)


def main() -> None:
    """Print the table."""
    with tenant_context(fetch(sys.argv[1])):
        judging.fill()
        while meaning.is_due():
            meaning.read_due()
        asked = judging.queries()
        print(
            f"{len(judging.rows('artifacts.jsonl'))} artifacts, {len(asked)} queries, each with its judged answers.\n"
        )
        print("\n".join(table(asked)))


if __name__ == "__main__":
    main()
