"""The tracking room: which prompts a trace, a run or a logged model used: a tag that MLflow's clients write and read.

It is kept as text, in the spelling of the clients: names of prompts are told here and looked up by nobody.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from apps.tracking.models import Trace
from apps.tracking.traces.recording import fetch_locked
from maestro import limits
from maestro.errors import Invalid

LINKED = "mlflow.linkedPrompts"
MOST_AT_ONCE = 100


@dataclass(frozen=True)
class PromptVersion:
    """A version of a prompt, as a client names it."""

    name: str
    version: str

    @property
    def entry(self) -> str:
        """Write it as it stands in the tag."""
        return json.dumps({"name": self.name, "version": self.version})


def link(traces: "QuerySet[Trace]", identity: str, used: Iterable[PromptVersion]) -> None:
    """Note on a trace which prompts it used; those that are noted already stay once. Raises NotFound, Invalid."""
    with transaction.atomic():
        trace = fetch_locked(traces, identity)
        known = entries(trace.tags.get(LINKED, ""))
        new = [json.loads(one.entry) for one in dict.fromkeys(used)]
        told = json.dumps([*known, *(one for one in new if one not in known)])
        if len(told) > limits.REGISTRY_TAG_VALUE_CHARS:
            raise Invalid("A trace links no more prompts than its tag can name.", "too_many_items")
        if trace.tags.get(LINKED) != told:
            trace.tags[LINKED] = told
            trace.save(update_fields=["tags"])


def entries(text: str) -> list[Any]:
    """Read the tag; clients may have written anything there."""
    try:
        known = json.loads(text)
    except (ValueError, RecursionError):
        return []
    return known if isinstance(known, list) else []
