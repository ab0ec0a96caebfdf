"""The registry room: does a version fulfil what a gate asks? Each condition answers in plain words and in facts.

The facts are what approvers look at: they change when, and only when, what there is to see changes.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import Q

from apps.registry.gates import bounds
from apps.registry.gates.bounds import Bound
from apps.registry.gates.figures import Figure, figures_of, run_of
from apps.registry.models import Alias, ArtifactVersion, Gate, Target, VersionFile
from apps.tracking.models import Run
from maestro.clock import from_ms

HEADING = re.compile(r"#{1,6}\s+(\S)(.*)")
FENCES = ("```", "~~~")


@dataclass(frozen=True)
class Outcome:
    """What became of one condition."""

    gate: str
    kind: str
    is_met: bool
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    def told(self) -> dict[str, Any]:
        """Write it, to be shown and kept."""
        return asdict(self)


def judge(gate: Gate, version: ArtifactVersion, target: Target, at: datetime) -> Iterator[Outcome]:
    """Look at all that a gate asks of a version itself. Who has to say yes is counted elsewhere."""
    for row in gate.metrics:
        yield measured(gate, version, bounds.of_json(row), target)
    if gate.files:
        yield has_files(gate, version)
    if gate.sections:
        yield has_sections(gate, version)
    if gate.needs_signature:
        yield is_signed(gate, version)
    if gate.max_run_age_hours is not None:
        yield is_fresh(gate, version, gate.max_run_age_hours, at)


def is_ready(version: ArtifactVersion) -> Outcome:
    """Only what is ready passes any gate."""
    met = version.state == ArtifactVersion.State.READY
    return Outcome("", "state", met, f"the version is {version.state}", {"state": version.state})


def number(value: float) -> float | str:
    """Write a number; JSON has no word for what is not finite."""
    return value if math.isfinite(value) else str(value)


def on(dataset: str) -> str:
    """Say on what something was measured."""
    return f" on {dataset}" if dataset else ""


def measured(gate: Gate, version: ArtifactVersion, bound: Bound, target: Target) -> Outcome:
    """Compare a metric with a number, or with what the version at an alias has on the same dataset."""
    facts: dict[str, Any] = {"bound": bounds.as_json(bound), "measured": []}
    found = figures_of(version, bound.metric, bound.dataset)
    limits = {one.measured_on: bound.value or 0.0 for one in found}
    against = ""
    if bound.baseline:
        alias = Alias.objects.select_related("version__logged_model")
        held = alias.filter(artifact=version.artifact_id, name=bound.baseline).first()
        if held is None:
            is_first = target == Target("alias", bound.baseline)
            text = f"no version is @{bound.baseline} yet, so there is nothing to compare {bound.metric} with"
            return Outcome(gate.name, "metric", is_first, text, facts)
        against = f" of v{held.version.number} (@{bound.baseline})"
        facts["baseline_version"] = str(held.version.number)
        same = figures_of(held.version, bound.metric, bound.dataset)
        limits = {one.measured_on: one.value + bound.margin for one in same}
    compared = [(one, limits[one.measured_on]) for one in found if one.measured_on in limits]
    facts["measured"] = [
        {"dataset": one.dataset, "digest": one.digest, "value": number(one.value), "limit": number(limit)}
        for one, limit in compared
    ]
    return worded(gate, bound, found, compared, facts, against)


def worded(
    gate: Gate,
    bound: Bound,
    found: list[Figure],
    compared: list[tuple[Figure, float]],
    facts: dict[str, Any],
    against: str,
) -> Outcome:
    """Say how a metric compares: the first figure that fails, else the first."""
    if not found:
        text = f"no {bound.metric}{on(bound.dataset)} is known of this version"
        return Outcome(gate.name, "metric", False, text, facts)
    if not compared:
        text = f"no {bound.metric}{against} is known on the same dataset{on(found[0].dataset)}"
        return Outcome(gate.name, "metric", False, text, facts)
    failed = [(one, limit) for one, limit in compared if not bound.holds(one.value, limit)]
    one, limit = (failed or compared)[0]
    least = "at least" if bound.operator == ">=" else "at most"
    margin = f", {bound.margin:+g}" if bound.margin else ""
    is_near = f"{one.value:.6g}" == f"{limit:.6g}" and one.value != limit  # then as many digits as it takes
    is_value, is_limit = (repr(x) if is_near else f"{x:.6g}" for x in (one.value, limit))
    asked = f"{least} {is_limit}{f', that{against}{margin}' if against else ''}"
    text = f"{bound.metric} is {is_value}{on(one.dataset)}; {asked} is asked for"
    return Outcome(gate.name, "metric", not failed, text, facts)


def has_files(gate: Gate, version: ArtifactVersion) -> Outcome:
    """Look for files by their path, and for folders, which end with /, by what is in them."""
    own = VersionFile.objects.filter(version=version)
    there = set(own.filter(path__in=gate.files).values_list("path", flat=True))
    folders = [name for name in gate.files if name.endswith("/")]
    there |= {name for name in folders if own.filter(Q(path__startswith=name)).exists()}
    missing = [name for name in gate.files if name not in there]
    text = f"it has no {', '.join(missing)}" if missing else f"it has {', '.join(gate.files)}"
    return Outcome(gate.name, "files", not missing, text, {"files": gate.files, "missing": missing})


@lru_cache(maxsize=4)
def sections_of(card: str) -> frozenset[str]:
    """Name the sections of a card that say something, in small letters. Many gates ask of one card."""
    found: set[str] = set()
    title, in_code = "", False
    for line in card.splitlines():
        fence = line.strip()[:3] in FENCES
        in_code ^= fence
        heading = None if in_code or fence else HEADING.fullmatch(line.strip())
        if heading:
            title = (heading[1] + heading[2].rstrip("# \t")).lower()
        elif title and line.strip():
            found.add(title)
    return frozenset(found)


def has_sections(gate: Gate, version: ArtifactVersion) -> Outcome:
    """Look for sections of the artifact's card that say something."""
    said = sections_of(version.artifact.card)
    missing = [name for name in gate.sections if name.lower() not in said]
    named = ", ".join(missing or gate.sections)
    text = f"the card says nothing under {named}" if missing else f"the card has {named}"
    return Outcome(gate.name, "sections", not missing, text, {"sections": gate.sections, "missing": missing})


def is_signed(gate: Gate, version: ArtifactVersion) -> Outcome:
    """Look for a signature over its files by a key that is still trusted."""
    signers = sorted(set(version.signatures.over_files().values_list("signer", flat=True)))
    text = f"it is signed by {', '.join(signers)}" if signers else "nobody that is trusted has signed its files"
    return Outcome(gate.name, "signature", bool(signers), text, {"digest": version.digest, "signers": signers})


def is_fresh(gate: Gate, version: ArtifactVersion, hours: float, at: datetime) -> Outcome:
    """Look how long ago the run that made the version ended."""
    finished = Run.objects.filter(status=Run.Status.FINISHED).exclude(end_ms=None)
    run = finished.filter(pk__in=[pk for pk in [run_of(version)] if pk]).first()
    facts = {"max_run_age_hours": hours, "run": run.pk.hex if run else None, "ended_ms": run.end_ms if run else None}
    if run is None or run.end_ms is None:
        return Outcome(gate.name, "run_age", False, "no finished run that made it is known", facts)
    ended = from_ms(run.end_ms)
    age_hours = (at - ended).total_seconds() / 3600
    text = f"its run ended at {ended:%Y-%m-%d %H:%M} UTC; at most {hours:g} hours may have passed since"
    return Outcome(gate.name, "run_age", 0 <= age_hours <= hours, text, facts)
