"""The registry room: artifacts by words: names that are alike first, else any of the words in what is said of them.

Trigram similarity of the name from .5 on is a name that was meant, typing faults and all; below that the words decide, any
of them, by how close together they stand (`ts_rank_cd`), names before descriptions before cards.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.contrib.postgres.search import TrigramSimilarity
from django.db.models import Count, F, FloatField, Q, Value
from django.db.models.expressions import Case, RawSQL, When
from django.db.models.functions import Coalesce, Left, Length

from apps.registry.finding.impacts import effects_of
from apps.registry.finding.meaning import AT_LEAST, Vector, nearness
from apps.registry.models import Artifact, ArtifactTag, ArtifactVersion, Usage
from apps.registry.prompts import KEPT
from apps.registry.scoping import artifacts_for
from apps.tracking.scoping import projects_for
from apps.tracking.search.names import id_range
from maestro.principals import Principal

MEANT, ALIKE = 0.5, 0.3
MOST_WORDS, MOST = 20, 500
FACET_ROWS, TAG_CHARS, EXCERPT_CHARS = 20, 100, 200
WORD = re.compile(r"\w+")
NAMED = re.compile(r"(.+?)(?:@|/| v)([\w-]{1,255})")


@dataclass(frozen=True)
class Asked:
    """What is looked for: a text, and what narrows it."""

    text: str = ""
    kind: str = ""
    owner: str = ""
    tag: str = ""  # key, or key=value
    problem_class: str = ""
    impact: str = ""  # helps, hurts or unclear
    meaning: str = ""  # 1: by what the text means too, where that is offered


@dataclass(frozen=True)
class Found:
    """What was found, best first, how many of all of it are of which kind, owner and so on, and whose use goes with what."""

    artifacts: list[Artifact]
    facets: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    effects: Mapping[UUID, str] = field(default_factory=dict)


def query_of(text: str) -> str:
    """Write a tsquery of any of the words; the last may be unfinished. Empty if there is none."""
    words = WORD.findall(text.replace("_", " ").lower())[:MOST_WORDS]
    return " | ".join([f"'{word}'" for word in words[:-1]] + [f"'{word}':*" for word in words[-1:]])


def find(who: Principal, asked: Asked, most: int, *, vector: Vector | None = None) -> Found:
    """Find artifacts that somebody may see, with what all of them are like. Without a text all that fits, by name.

    vector  what the text means, where that is asked and known
    """
    rows = best(who, asked, MOST, vector=vector)
    effects = effects_of(who, asked.problem_class, [row.pk for row in rows])
    facets = facets_of(who, rows) | {"impact": dict(Counter(effects.values()).most_common())}
    return Found(rows[:most], facets, effects)


def best(who: Principal, asked: Asked, most: int, *, vector: Vector | None = None) -> list[Artifact]:
    """Find artifacts that somebody may see, without the long texts that are said of them."""
    found = narrow(who, asked).defer("description", "card")
    return list((rank(found, asked.text, vector) if asked.text.strip() else found.order_by("name"))[:most])


def narrow(who: Principal, asked: Asked) -> Any:
    """Keep what fits the facets that were chosen."""
    found = artifacts_for(who)
    if asked.kind:
        found = found.filter(kind=asked.kind)
    if asked.owner:
        found = found.filter(owner=asked.owner)
    if asked.tag:
        found = found.filter(tagged(asked.tag))
    if asked.problem_class:
        within = projects_for(who).filter(problem_class=asked.problem_class).values("pk")
        found = found.filter(pk__in=Usage.objects.filter(project__in=within).values("version__artifact"))
    if asked.impact:
        told = effects_of(who, asked.problem_class)
        found = found.filter(pk__in=[pk for pk, effect in told.items() if effect == asked.impact])
    return found


def tagged(tag: str) -> Q:
    """Keep what has a tag: by its key, or by key=value."""
    key, sign, value = tag.partition("=")
    return Q(tags__key=key, tags__value=value) if sign else Q(tags__key=key)


def rank(found: Any, text: str, vector: Vector | None = None) -> Any:
    """Order by how well a text fits, by meaning before words where that is known, and drop what does not fit at all."""
    words, ids = query_of(text), id_range(text)
    matches: Any = RawSQL("words @@ to_tsquery('english', %s)", [words]) if words else Value(False)
    closeness: Any = RawSQL("ts_rank_cd(words, to_tsquery('english', %s))", [words]) if words else Value(0.0)
    sense: Any = nearness(vector) if vector else Value(None, output_field=FloatField())
    fits = (
        Q(near__gte=ALIKE)
        | Q(fits_words=True)
        | Q(sense__gte=AT_LEAST)
        | Q(name__icontains=text)
        | (Q(pk__range=ids) if ids else Q())
    )
    return (
        found.annotate(near=TrigramSimilarity("name", text), fits_words=matches, closeness=closeness, sense=sense)
        .filter(fits)
        .annotate(
            score=Case(
                When(near__gte=MEANT, then=F("near") + 1),
                default=Coalesce("sense", "closeness", output_field=FloatField()),
                output_field=FloatField(),
            )
        )
        .order_by("-score", "-near", "name")
    )


def facets_of(who: Principal, rows: list[Artifact]) -> dict[str, dict[str, int]]:
    """Count what was found by kind, owner, tag and the problem classes of the projects that use it."""
    tags = ArtifactTag.objects.filter(artifact__in=[row.pk for row in rows]).exclude(key__in=KEPT)
    short = tags.annotate(length=Length("value")).filter(length__lte=TAG_CHARS).values_list("key", "value")
    counted = short.annotate(count=Count("pk")).order_by("-count", "key", "value")[:FACET_ROWS]
    used = Usage.objects.filter(
        version__artifact__in=[row.pk for row in rows], project__in=projects_for(who).values("pk")
    )
    pairs = used.values_list("version__artifact", "project__problem_class").distinct()
    classes = Counter(name for _, name in pairs if name)
    return {
        "kind": dict(Counter(row.kind for row in rows).most_common()),
        "owner": dict(Counter(row.owner for row in rows if row.owner).most_common(FACET_ROWS)),
        "problem_class": dict(classes.most_common()),
        "tag": {f"{key}={value}": count for key, value, count in counted},
    }


def excerpts(rows: list[Artifact]) -> dict[UUID, str]:
    """How what is said of each begins."""
    found = Artifact.objects.filter(pk__in=[row.pk for row in rows]).order_by()
    return dict(found.values_list("pk", Left("description", EXCERPT_CHARS)))


def find_versions(who: Principal, text: str, most: int) -> list[ArtifactVersion]:
    """Find versions by `name@alias`, `name/3`, `name v3`, by id or by the beginning of a digest."""
    seen = ArtifactVersion.objects.select_related("artifact").filter(artifact__in=artifacts_for(who))
    ids, digits = id_range(text), text.strip().lower()
    wanted = Q(pk__range=ids) | Q(digest__startswith=digits) if ids else Q(pk=None)
    match = NAMED.fullmatch(text.strip())
    if match:
        number = Q(number=int(match[2])) if match[2].isascii() and match[2].isdecimal() and len(match[2]) < 9 else Q()
        by_name = Q(artifact__name=match[1]) & (number if number else Q(aliases__name=match[2]))
        wanted |= by_name
    return list(seen.filter(wanted).distinct().order_by("-created_ms")[:most])
