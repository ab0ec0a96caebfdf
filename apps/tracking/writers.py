"""The tracking room: tags that name things of a room above: who wrote them is kept, so that they are resolved as the writer.

Source  R45 in docs/security.md
"""

from collections.abc import Callable, Collection

from maestro.errors import NotFound
from maestro.principals import Reach

# The one tag from which a room above learns what a run uses.
NAMING_TAG = "maestro.uses"
# Needs a `run` and the bound values `naming` (the tag's text) and `projects` (the writer's reach; NULL is everything).
WRITER = """writer AS (INSERT INTO tracking_tagwriter AS w (run_id, digest, sees_all, sees)
  SELECT run.id, md5(%(naming)s::text), %(projects)s::uuid[] IS NULL, %(projects)s::uuid[] FROM run
  ON CONFLICT (run_id) DO UPDATE SET digest = excluded.digest, sees_all = excluded.sees_all, sees = excluded.sees)"""

Known = Callable[[Collection[str], Reach], set[str]]
KNOWN: list[Known] = []


def offer(known: Known) -> None:
    """Let a room above say which ids of logged models somebody reaches."""
    KNOWN.append(known)


def require_models(ids: Collection[str], projects: Reach) -> None:
    """Raise NotFound for a logged model that is not there, or not within reach."""
    found = {identity for known in KNOWN for identity in known(ids, projects)}
    for identity in sorted(ids):
        if identity not in found:
            raise NotFound(f"there is no logged model {identity[:100]!r}")
