"""The registry room's admin: a prompt: its template, its blanks, and what changed between two of its versions."""

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import orjson
from django.http import HttpRequest

from apps.registry import prompts
from apps.registry.models import Artifact, ArtifactVersion
from apps.registry.models.versions import NUMBER

SHOWN_CHARS, VARIABLES_SHOWN = 20_000, 60
# Comparing takes a time that grows with the square of these.
LINES_MOST, AROUND = 400, 3


@dataclass(frozen=True)
class Line:
    """A line of a comparison: its sign, and the text."""

    sign: str
    text: str


def card(template: prompts.Template) -> dict[str, Any]:
    """Show a template, or the beginning of a long one."""
    messages, room = [], SHOWN_CHARS
    for message in template.messages:
        messages.append(prompts.Message(message.role[:60], message.content[:room]))
        room -= len(message.content) + 60
        if room <= 0:
            break
    variables = template.variables
    return {
        "is_chat": template.is_chat,
        "text": template.text[:SHOWN_CHARS],
        "messages": messages,
        "is_cut": room <= 0 or (not template.is_chat and len(template.text) > SHOWN_CHARS),
        "variables": variables[:VARIABLES_SHOWN],
        "more_variables": max(0, len(variables) - VARIABLES_SHOWN),
        "response_format": pretty(template.response_format)[:SHOWN_CHARS],
    }


def pretty(text: str) -> str:
    """Write JSON with a line for each of its parts."""
    return orjson.dumps(orjson.loads(text), option=orjson.OPT_INDENT_2).decode() if text else ""


def shown(request: HttpRequest, artifact: Artifact, numbers: list[int]) -> dict[str, Any]:
    """Show the version that the address names, else the newest, and what changed in it since the one before.

    `numbers` are those of the versions that are offered to be compared, newest first.
    """
    if artifact.kind != Artifact.Kind.PROMPT or not numbers:
        return {}
    new = chosen(request, "new", numbers[0])
    before = [number for number in numbers if number < new]
    old = chosen(request, "old", before[0] if before else new)
    rows = ArtifactVersion.objects.filter(artifact=artifact, number__in={new, old}).prefetch_related("tags")
    found = {row.number: template for row in rows if (template := prompts.of(row)) is not None}
    told: dict[str, Any] = {"prompt_new": new, "prompt_old": old, "prompt_numbers": numbers}
    if new in found:
        told["prompt"] = card(found[new])
    if new in found and old in found and new != old:
        told["changes"] = compared(found[old], found[new])
    return told


def chosen(request: HttpRequest, name: str, otherwise: int) -> int:
    """Read a version's number from the address."""
    text = request.GET.get(name, "")
    return int(text) if NUMBER.fullmatch(text) else otherwise


def compared(old: prompts.Template, new: prompts.Template) -> dict[str, Any]:
    """Compare two templates line by line, with the response format below the words."""
    before, after = (lines_of(one) for one in (old, new))
    if max(len(before), len(after)) > LINES_MOST:
        return {"is_long": True, "lines_most": LINES_MOST}
    lines = list(differences(before, after))
    return {"lines": lines, "is_same": not lines}


def lines_of(template: prompts.Template) -> list[str]:
    """Write a template as lines."""
    below = f"\n\nresponse format:\n{pretty(template.response_format)}" if template.response_format else ""
    return (template.words + below)[:SHOWN_CHARS].splitlines()


def differences(before: list[str], after: list[str]) -> Iterator[Line]:
    """Walk over the lines that differ, with a few of those around them; a gap is an ellipsis."""
    groups = list(SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(AROUND))
    for index, group in enumerate(groups):
        if index:
            yield Line("…", "")
        for kind, start, end, new_start, new_end in group:
            if kind == "equal":
                yield from (Line(" ", text) for text in before[start:end])
                continue
            yield from (Line("−", text) for text in before[start:end])
            yield from (Line("+", text) for text in after[new_start:new_end])
