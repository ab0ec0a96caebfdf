"""The floor: Markdown that people wrote, as HTML that can do nothing and costs no more than its length."""

from importlib import import_module
from typing import Any

import nh3
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt

from maestro import limits

# A row that is shorter than its table's head is filled up: a short text with a wide head would become a page of cells.
tables: Any = import_module("markdown_it.rules_block.table")
tables.MAX_AUTOCOMPLETED_CELLS = 1_000
READER = MarkdownIt("commonmark", {"html": False, "maxNesting": 10}).enable("table")
REST = '<p class="quiet">The rest is shown as it was written:</p><pre>{}</pre>'


def rendered(text: str) -> SafeString:
    """Render the beginning, up to MARKDOWN_CHARS; what follows is shown as it was written.

    No raw HTML goes in, and what comes out is cleaned again.
    """
    shown, rest = split(text)
    page = mark_safe(nh3.clean(READER.render(shown), attributes={"a": {"href"}}))  # noqa: S308 cleaned by nh3 # nosec B308 B703
    return page + format_html(REST, rest) if rest else page


def split(text: str) -> tuple[str, str]:
    """Cut a long text behind a line."""
    if len(text) <= limits.MARKDOWN_CHARS:
        return text, ""
    at = text.rfind("\n", 0, limits.MARKDOWN_CHARS) + 1 or limits.MARKDOWN_CHARS
    return text[:at], text[at:]
