"""The registry room: which ids things of a source have here: their own where those are free, else ones made of them."""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field

from apps.registry.models import LoggedModel
from apps.registry.models.logged import MODEL_ID
from apps.tracking.models import Experiment, ExperimentTag, Run, Trace
from maestro import limits

ID_TAG, SOURCE_TAG = "maestro.import.id", "maestro.import.source"
RUN_ID = re.compile(r"[0-9a-f]{32}")
NAMESPACE = uuid.UUID("6f9a4f0e-5d0b-5e0c-9c1d-2f3b8d1f7a10")
DEFAULT = "Default"


@dataclass
class Identities:
    """What a source's ids are here. An id is free if nothing has it, or what came from this source before."""

    origin: str
    homes: dict[str, int] = field(default_factory=dict)

    @property
    def mark(self) -> str:
        """What runs of this source are marked with as their maker."""
        return f"import of {self.origin}"[: limits.NAME_CHARS]

    def made(self, identity: str) -> uuid.UUID:
        """Make an id of an old one, always the same."""
        return uuid.uuid5(NAMESPACE, f"{self.origin}\n{identity}")

    def experiment(self, identity: str) -> Experiment | None:
        """Find the experiment that came as this one before."""
        known = ExperimentTag.objects.filter(key=SOURCE_TAG, value=self.origin).values("experiment")
        named = ExperimentTag.objects.filter(key=ID_TAG, value=identity, experiment__in=known)
        tag = named.select_related("experiment").first()
        return tag.experiment if tag else None

    def run_ids(self, ids: Collection[str]) -> dict[str, uuid.UUID]:
        """Find the ids of runs here."""
        own = {one: uuid.UUID(one) for one in ids if RUN_ID.fullmatch(one)}
        others = Run.objects.filter(pk__in=own.values()).exclude(experiment__in=self.homes.values())
        taken = set(others.exclude(created_by=self.mark).values_list("pk", flat=True))
        return {one: own[one] if one in own and own[one] not in taken else self.made(one) for one in ids}

    def model_ids(self, ids: Collection[str]) -> dict[str, uuid.UUID]:
        """Find the ids of logged models here."""
        own = {one: uuid.UUID(match[1]) for one in ids if (match := MODEL_ID.fullmatch(one))}
        others = LoggedModel.objects.filter(pk__in=own.values()).exclude(experiment__in=self.homes.values())
        taken = set(others.values_list("pk", flat=True))
        return {one: own[one] if one in own and own[one] not in taken else self.made(one) for one in ids}

    def trace_id(self, identity: str) -> str:
        """Find the id of a trace here."""
        others = Trace.objects.filter(pk=identity).exclude(experiment__in=self.homes.values())
        return f"tr-{self.made(identity).hex}" if others.exists() else identity


def free_name(name: str, taken: Collection[str], most: int) -> str:
    """Find a name that is free: its own, else with a word behind it."""
    number = 1
    free = name
    while free in taken:
        behind = " (imported)" if number == 1 else f" (imported {number})"
        free = name[: most - len(behind)] + behind
        number += 1
    return free
