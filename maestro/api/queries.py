"""The floor: what queries of REST addresses say in one way everywhere. A word that is none is refused: to leave it out, or to
find nothing, would be an answer to another question.
"""

from collections.abc import Collection

from rest_framework.request import Request

from maestro.errors import Invalid

YES, NO = frozenset({"true", "1"}), frozenset({"false", "0"})


def is_dry(request: Request) -> bool:
    """Read `?dry_run=`. Raises Invalid."""
    return flag(request, "dry_run") or False


def flag(request: Request, name: str) -> bool | None:
    """Read yes or no; None where nothing is said. Raises Invalid for any other word."""
    word = request.query_params.get(name, "").lower()
    if word and word not in YES | NO:
        raise Invalid(f"{name} must be true or false", f"bad_{name}")
    return word in YES if word else None


def choice(request: Request, name: str, allowed: Collection[str]) -> str:
    """Read one of some words; empty where nothing is said. Raises Invalid for any other."""
    word = request.query_params.get(name, "")
    if word and word not in allowed:
        raise Invalid(f"{name} must be one of {', '.join(allowed)}", f"bad_{name}")
    return word
