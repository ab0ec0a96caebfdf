"""The registry room: cards: facts at the head of a Markdown text, between two lines of dashes, as model cards on Hugging Face have them.

The flat part of YAML is read: `key: value`, `key: [a, b]`, and lists below a key. What is nested deeper is counted, not shown.
Source: huggingface.co/docs/hub/model-cards ("Model card metadata").
"""

import re
from dataclasses import dataclass, field

KEY = re.compile(r"([A-Za-z0-9_.-]{1,100}):(?:\s+(.*))?")
MOST_KEYS, MOST_LINES, VALUE_CHARS = 50, 500, 500
NAMES = {"base_model": "base model", "library_name": "library", "pipeline_tag": "task", "model-index": "results"}


@dataclass(frozen=True)
class Card:
    """A text and the facts at its head, by name in their order."""

    body: str
    facts: dict[str, str] = field(default_factory=dict)


@dataclass
class Entry:
    """A key, what stands beside it, and the lines below it."""

    key: str
    beside: str
    below: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Write the value on one line."""
        if not self.below:
            beside = self.beside.strip()
            is_list = beside.startswith("[") and beside.endswith("]")
            parts = beside[1:-1].split(",") if is_list else [beside]
            return ", ".join(plain(part) for part in parts)[:VALUE_CHARS]
        items = [line.strip()[2:] for line in self.below if line.strip().startswith("- ")]
        if len(items) < len(self.below) or any(KEY.fullmatch(item) for item in items):
            return f"{len(self.below)} lines"
        return ", ".join(plain(item) for item in items)[:VALUE_CHARS]


def plain(text: str) -> str:
    """Take quotes off a value."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def read(text: str) -> Card:
    """Part a text from the facts at its head. A head that does not end, or is no list of keys, belongs to the text."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != "---":
        return Card(text)
    end = next((at for at, line in enumerate(lines[1:MOST_LINES], 1) if line.strip() == "---"), 0)
    entries: list[Entry] = []
    for line in lines[1:end]:
        match = KEY.fullmatch(line.rstrip())
        if match:
            entries.append(Entry(match[1], match[2] or ""))
        elif entries and line.startswith((" ", "-")) and line.strip():
            entries[-1].below.append(line)
        elif line.strip() and not line.startswith("#"):
            return Card(text)
    if not entries:
        return Card(text)
    facts = {NAMES.get(entry.key, entry.key.replace("_", " ")): entry.text() for entry in entries[:MOST_KEYS]}
    return Card("\n".join(lines[end + 1 :]).strip(), {name: value for name, value in facts.items() if value})
