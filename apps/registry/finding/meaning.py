"""The registry room: artifacts by meaning: an optional extra, on where its packages and pgvector are there, else off.

A worker makes the vectors, of artifacts and of questions. There is no made-up vector: what was not read yet is found by
its words alone.
"""

import hashlib
import threading
import time
from collections.abc import Callable

from django.core.cache import cache
from django.db import connection
from django.db.models import F, FloatField, Q, QuerySet
from django.db.models.expressions import RawSQL

from apps.registry.finding import sentences
from apps.registry.models import Artifact, Meaning

HERE = "SELECT 1 FROM pg_extension WHERE extname = 'vector'"
AT_LEAST = 0.2  # cosine similarity
READ_AT_ONCE, CARD_CHARS = 200, 2_000
KEEP_SECONDS, WAIT_SECONDS, LOOK_SECONDS = 3_600, 1.0, 0.02
WAITING = threading.BoundedSemaphore(2)  # of a process
Vector = list[float]
OFF, UNASKED, LATE, USED = "off", "unasked", "late", "used"
STATES = (OFF, UNASKED, LATE, USED)


def is_offered() -> bool:
    """Say whether this installation finds by meaning."""
    return sentences.is_installed() and is_compared()


def is_compared() -> bool:
    """Say whether the database has pgvector."""
    with connection.cursor() as cursor:
        cursor.execute(HERE)
        return cursor.fetchone() is not None


def stale() -> QuerySet[Artifact]:
    """Artifacts that were not read, or have changed since."""
    read = Q(meaning__updated_ms=F("updated_ms"), meaning__model=sentences.MODEL)
    return Artifact.objects.exclude(read).order_by("updated_ms", "pk")


def is_due() -> bool:
    """Say whether the tenant has artifacts to be read."""
    return is_offered() and stale().exists()


def read_due() -> int:
    """Read the artifacts that are new or have changed. Returns how many."""
    rows = list(stale()[:READ_AT_ONCE])
    for artifact in rows:
        told = {"updated_ms": artifact.updated_ms, "model": sentences.MODEL, "vector": vector_of(text_of(artifact))}
        Meaning.objects.update_or_create(artifact=artifact, defaults=told)
    return len(rows)


def text_of(artifact: Artifact) -> str:
    """What is read of an artifact: its name as words, what is said of it, the head of its card."""
    name = artifact.name.replace(".", " ").replace("-", " ").replace("_", " ")
    return f"{name}. {artifact.description} {artifact.card[:CARD_CHARS]}"


def vector_of(text: str) -> Vector:
    """Make a vector, in a worker."""
    return sentences.encoder().encode(text)


def key_of(text: str) -> str:
    """Where the vector of a question lies in the cache."""
    return f"meaning:{sentences.MODEL}:{hashlib.sha256(text.encode()).hexdigest()}"


def answer(text: str) -> None:
    """Make the vector of a question and lay it where who asked looks."""
    cache.set(key_of(text), vector_of(text), KEEP_SECONDS)


def asked(text: str, send: Callable[[str], bool]) -> Vector | None:
    """Have a worker read a question, by `send`, and wait a moment for it. None if none answers in time."""
    key = key_of(text)
    found: Vector | None = cache.get(key)
    # Each holds a thread while it waits, so few do; who comes then is answered by words, and by meaning when they ask again.
    if found is None and WAITING.acquire(blocking=False):
        try:
            found = waited(key) if send(text) else None
        finally:
            WAITING.release()
    return found


def waited(key: str) -> Vector | None:
    """Look into the cache until a vector is there, for a moment."""
    until, found = time.monotonic() + WAIT_SECONDS, None
    while found is None and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        found = cache.get(key)
    return found


def look(text: str, send: Callable[[str], bool], *, is_wanted: bool) -> tuple[str, Vector | None]:
    """Find what a text means if that is wanted, and say how that went, by a word of `STATES`."""
    if not is_wanted or not text.strip():
        return UNASKED, None
    if not is_offered():
        return OFF, None
    vector = asked(text, send)
    return (LATE, None) if vector is None else (USED, vector)


def nearness(vector: Vector) -> RawSQL:
    """How near an artifact's meaning lies; NULL for what was not read."""
    return RawSQL(
        "(SELECT 1 - (m.vector::vector <=> %s::vector) FROM registry_meaning m"
        " WHERE m.artifact_id = registry_artifact.id AND m.model = %s)",
        [str(vector), sentences.MODEL],
        output_field=FloatField(),
    )
