"""The tenants room: the bounds of maestro/limits.py as a table, section by section."""

import re
from pathlib import Path

from maestro import limits

LINE = re.compile(r"(?:# (?P<section>.+)|(?P<name>[A-Z0-9_]+): Final = .*)$")
HEAD = """# Limits

Rendered from `maestro/limits.py` by `manage.py show_limits --markdown`; a test compares. Beyond a bound a request gets
400, 413 or 416 in its door's own error format, and nothing is stored; only too long params and
tags of runs, and params of logged models, are cut there, as the original cuts them. `SLUG_CHARS` is for the names of tenants.
"""


def sections() -> dict[str, dict[str, int]]:
    """Read the bounds with the section comment above them."""
    found: dict[str, dict[str, int]] = {}
    section = ""
    for line in Path(limits.__file__).read_text().splitlines():
        match = LINE.fullmatch(line)
        if match and match["section"]:
            section = match["section"]
        elif match and match["name"]:
            found.setdefault(section, {})[match["name"]] = getattr(limits, match["name"])
    return found


def markdown() -> str:
    """Render docs/limits.md."""
    parts = [HEAD]
    for section, bounds in sections().items():
        rows = "\n".join(f"| `{name}` | {value:,} |" for name, value in bounds.items())
        parts.append(f"\n## {section}\n\n| bound | value |\n| --- | ---: |\n{rows}\n")
    return "".join(parts)
